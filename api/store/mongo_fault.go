package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"
)

// ErrSetup says that a MongoDB can be reached but not be used, and that waiting does not help: somebody has to change
// something, and the message says what.
var ErrSetup = errors.New("store: the MongoDB is not set up for this service")

// Codes of the server's errors.
const (
	mongoUnauthorized         = 13
	mongoAuthenticationFailed = 18
	mongoAtlasError           = 8000
	mongoNamespaceExists      = 48
)

// passing are the server's errors that pass by themselves: another server is becoming primary, a write was not confirmed
// in time, a connection broke inside a cluster.
var passing = []int{
	6, 7, 89, 9001, // hosts and sockets
	91, 189, 10107, 11600, 11602, 13435, 13436, // not, or no longer, primary
	50, 64, 262, // out of time
	133, 134, 63, 150, 234, 13388, 202, // primary not found, snapshot too old, stale routing
	43, 211, 11601, // cursor or signing key gone, interrupted
	112, 24, 46, // conflict, lock
}

// transient reports whether trying again may help. Whatever the server did not say itself came from the way to it.
func transient(err error) bool {
	var said mongo.ServerError
	switch {
	case err == nil || engineError(err) || errors.Is(err, mongo.ErrNoDocuments) || errors.Is(err, mongo.ErrClientDisconnected):
		return false
	case mongo.IsNetworkError(err) || mongo.IsTimeout(err):
		return true
	case errors.As(err, &said):
		return slices.ContainsFunc(passing, said.HasErrorCode)
	}
	return !refused(err)
}

// engineError reports whether an error is already one of those that engines return.
func engineError(err error) bool {
	for _, known := range []error{ErrNotFound, ErrStale, ErrCursorGone, ErrUnavailable, ErrClosed, ErrNewerFormat, ErrCorrupt, ErrSetup} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// refused reports whether the server does not let this user in, or not do that.
func refused(err error) bool {
	for _, code := range []int{mongoUnauthorized, mongoAuthenticationFailed, mongoAtlasError} {
		if hasCode(err, code) {
			return true
		}
	}
	return false
}

func hasCode(err error, code int) bool {
	var said mongo.ServerError
	return errors.As(err, &said) && said.HasErrorCode(code)
}

// translate turns an error of the driver into one of those that Engine promises.
func (m *Mongo) translate(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case m.closing.Err() != nil || errors.Is(err, mongo.ErrClientDisconnected):
		return ErrClosed
	case ctx.Err() != nil:
		return ctx.Err()
	case engineError(err):
		return err
	}
	return fmt.Errorf("%w: MongoDB at %s: %w", ErrUnavailable, m.address, err)
}

// examine asks the server what it is. The errors say what to do.
func (m *Mongo) examine(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, m.timing.attempt)
	defer cancel()
	var hello struct {
		SetName   string    `bson:"setName"`
		Msg       string    `bson:"msg"`
		LocalTime time.Time `bson:"localTime"`
	}
	asked := m.now()
	if err := m.db.RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&hello); err != nil {
		return m.explain(ctx, err)
	}
	if hello.SetName == "" && hello.Msg != "isdbgrid" {
		return fmt.Errorf("%w: the MongoDB at %s is a lone server, which cannot promise that an answer survives its loss; "+
			"start it with --replSet rs0 and run rs.initiate() once (one member is enough to begin with)", ErrSetup, m.address)
	}
	if hello.LocalTime.IsZero() {
		return nil
	}
	answered := m.now()
	off := hello.LocalTime.Sub(asked)
	if off > 0 {
		off = max(0, hello.LocalTime.Sub(answered))
	}
	if off.Abs() > clockLimit {
		where := "behind"
		if off < 0 {
			where = "ahead of"
		}
		return fmt.Errorf("%w: this machine's clock is %s %s that of the MongoDB at %s; set both (NTP), or answers get a wrong hour",
			ErrSetup, off.Abs().Round(time.Second), where, m.address)
	}
	return nil
}

// probe has a majority confirm a write.
func (m *Mongo) probe(ctx context.Context) error {
	limit, cancel := context.WithTimeout(ctx, m.timing.attempt)
	defer cancel()
	id := bson.D{{Key: keyID, Value: "ping"}}
	for {
		res, err := m.meta.UpdateOne(limit, id, bson.D{{Key: "$inc", Value: bson.D{{Key: "n", Value: int64(1)}}}})
		if err == nil && res.MatchedCount == 0 {
			_, err = m.meta.InsertOne(limit, append(id, bson.E{Key: "n", Value: int64(0)}))
		}
		if mongo.IsDuplicateKeyError(err) {
			continue // another server was first
		}
		if err != nil && ctx.Err() == nil && (limit.Err() != nil || hasCode(err, 64)) {
			return m.fault(ErrUnavailable, err, "the MongoDB at %s has a primary, but no majority confirms its writes: too many members of the set are away or far behind", m.address)
		}
		return m.explain(ctx, err)
	}
}

// explain says what is wrong with a server, as well as the driver's error tells it.
func (m *Mongo) explain(ctx context.Context, err error) error {
	var selection topology.ServerSelectionError
	switch {
	case err == nil:
		return nil
	case m.closing.Err() != nil:
		return ErrClosed
	case engineError(err):
		return err
	case hasCode(err, mongoUnauthorized) && !m.named:
		return m.fault(ErrSetup, err, "the MongoDB at %s wants a user and a password, and SIPAS_MONGODB_URI names none (mongodb://user:password@…)", m.address)
	case hasCode(err, mongoUnauthorized):
		return m.fault(ErrSetup, err, "the MongoDB at %s knows the user of SIPAS_MONGODB_URI but does not let it write there; give it the role readWrite on the database", m.address)
	case refused(err) || strings.Contains(err.Error(), "auth error"):
		return m.fault(ErrSetup, err, wrongPassword, m.address, badlyEncoded)
	case strings.Contains(err.Error(), "wire version"):
		return fmt.Errorf("%w: the MongoDB at %s is too old; 6.0 or newer is recommended: %w", ErrSetup, m.address, err)
	case errors.As(err, &selection):
		return m.explainSelection(ctx, selection, err)
	case ctx.Err() != nil:
		return m.fault(ErrUnavailable, errors.Join(ctx.Err(), err), "the MongoDB at %s did not answer in time", m.address)
	}
	return fmt.Errorf("%w: MongoDB at %s: %w", ErrUnavailable, m.address, err)
}

const (
	badlyEncoded  = "in SIPAS_MONGODB_URI a password with @ : / ? # % in it must be percent-encoded"
	wrongPassword = "the MongoDB at %s refuses the user or password of SIPAS_MONGODB_URI (authSource may be missing; %s)"
)

// mongoFault is an error that says in a sentence what is wrong, and keeps what the driver said, which runs to a page,
// for errors.As and the log.
type mongoFault struct {
	kind  error // ErrUnavailable or ErrSetup
	text  string
	cause error
}

func (m *Mongo) fault(kind, cause error, format string, args ...any) error {
	f := &mongoFault{kind: kind, text: fmt.Sprintf(format, args...), cause: cause}
	m.logger.Debug("what the driver said", "fault", f.text, "cause", cause)
	return f
}

// Error is the kind and the sentence.
func (f *mongoFault) Error() string { return f.kind.Error() + ": " + f.text }

// Unwrap returns the kind and what the driver said.
func (f *mongoFault) Unwrap() []error { return []error{f.kind, f.cause} }

// explainSelection says why no primary was found.
func (m *Mongo) explainSelection(ctx context.Context, s topology.ServerSelectionError, err error) error {
	var reached int
	var why error
	for _, server := range s.Desc.Servers {
		if server.LastError != nil {
			why = server.LastError
		}
		if server.Kind.String() != "Unknown" {
			reached++
		}
	}
	switch {
	case why != nil && strings.Contains(why.Error(), "auth error"):
		return m.fault(ErrSetup, err, wrongPassword, m.address, badlyEncoded)
	case why != nil && (strings.Contains(why.Error(), "x509") || strings.Contains(why.Error(), "tls:")):
		return fmt.Errorf("%w: no trusted TLS connection to the MongoDB at %s (tlsCAFile names who signed its certificate): %w", ErrSetup, m.address, why)
	case reached > 0:
		return m.fault(ErrUnavailable, err, "the replica set at %s has no primary now: an election is under way, or too few of its members are up to have a majority", m.address)
	case len(s.Desc.Servers) == 0:
		return m.explainStrangers(ctx, err)
	}
	hint := ""
	if m.named {
		hint = " (" + badlyEncoded + ")"
	}
	if why == nil {
		return m.fault(ErrUnavailable, err, "the MongoDB at %s cannot be reached%s", m.address, hint)
	}
	return m.fault(ErrUnavailable, err, "the MongoDB at %s cannot be reached: %s%s", m.address, why, hint)
}

// explainStrangers says what answers where the address names a replica set. The driver forgets every server that is not
// of that set, so each is asked by itself.
func (m *Mongo) explainStrangers(ctx context.Context, err error) error {
	for _, host := range m.hosts {
		client, failed := mongo.Connect(m.direct(host))
		if failed != nil {
			continue
		}
		var hello struct {
			SetName string `bson:"setName"`
		}
		failed = client.Database("admin").RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&hello)
		// Nothing is lost with a connection that was made to ask one question.
		_ = client.Disconnect(context.WithoutCancel(ctx))
		switch {
		case failed != nil:
		case hello.SetName == "":
			return fmt.Errorf("%w: a lone server answers at %s (%s), where the address asks for a replica set (replicaSet=); start it with --replSet and run rs.initiate() once", ErrSetup, m.address, host)
		default:
			return fmt.Errorf("%w: the MongoDB at %s (%s) belongs to the replica set %q, the address names another one (replicaSet=)", ErrSetup, m.address, host, hello.SetName)
		}
	}
	return fmt.Errorf("%w: no member at %s belongs to the replica set that the address names (replicaSet=): %w", ErrUnavailable, m.address, err)
}

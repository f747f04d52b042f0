package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"
	"golang.org/x/sync/singleflight"
)

// MongoOptions says how to open a MongoDB store. The zero value is usable.
type MongoOptions struct {
	Logger *slog.Logger     // nil: silent
	Now    func() time.Time // compared with the server's clock; nil: time.Now
}

// Mongo is the engine on MongoDB, a replica set or a sharded cluster, shared by any number of servers.
//
// It uses plain reads, writes and indexes only. Every write is acknowledged by a majority with journal, every read is a
// majority read from the primary, whatever the address says. The collections of the database are
//
//	<log>     one for each log: mongo_record.go describes its documents
//	<set>     one for each set: mongo_documents.go
//	meta      "format" (of the data), "ping", one "set:<name>" for each set with the revision given out last, and one
//	          "log:<name>" for each log with the rounds of cleaning (mongo_clean.go)
//
// Collections of logs are clustered on _id: they keep no other order. (The server's oplog does, for as long as it
// lasts.) Each server numbers its own appends (mongo_append.go), and followers keep one position a writer
// (mongo_follow.go). Removing those positions when the hour is over is in mongo_clean.go.
type Mongo struct {
	client  *mongo.Client
	db      *mongo.Database
	meta    *mongo.Collection
	address string // without password
	hosts   []string
	named   bool                                     // the address names a user
	direct  func(host string) *options.ClientOptions // for one server, whatever set it is of
	logger  *slog.Logger
	now     func() time.Time
	timing  mongoTiming

	closing context.Context // ends when the engine closes and writes under way had their time
	abort   context.CancelFunc
	stop    chan struct{} // closed first by Close
	once    sync.Once
	running sync.WaitGroup // appenders, watches and cleaners
	pings   singleflight.Group

	mu   sync.Mutex // guards what follows
	logs map[string]*mongoLog
	sets map[string]bool // those whose index is known to be there
	// What this process has seen of the cluster's time. A read that starts behind it sees this process's writes, also
	// on a primary that was elected since.
	clusterTime   bson.Raw
	operationTime *bson.Timestamp
	lastPing      time.Time
	pingErr       error
}

// mongoTiming are the waiting times; tests shorten them.
type mongoTiming struct {
	attempt    time.Duration // one try of an operation
	count      time.Duration // one try of counting a collection
	patience   time.Duration // how long a failing operation is tried again, if its context allows
	selection  time.Duration // until a primary must be found
	grace      time.Duration // how long Close waits for writes under way
	watch      time.Duration // how often followed logs are looked at
	cleanEvery time.Duration // how often positions are looked through
	cleanAfter time.Duration // how long positions stay
	ping       time.Duration // how long the answer to a Ping holds
}

var defaultMongoTiming = mongoTiming{
	attempt: 5 * time.Second, count: 2 * time.Minute, patience: 30 * time.Second, selection: 5 * time.Second, grace: 10 * time.Second,
	watch: 400 * time.Millisecond, cleanEvery: 10 * time.Minute, cleanAfter: time.Hour, ping: time.Second,
}

const (
	// mongoDatabase is used when the address names no database.
	mongoDatabase = "sipas"
	mongoMeta     = "meta"
	mongoFormat   = 1
	// clockLimit is how far this machine's clock may be from the database's. Answers are kept to the hour; beyond some
	// minutes the clock was not set, and every hour may be wrong.
	clockLimit = 5 * time.Minute
)

// OpenMongo opens the store at the address of a MongoDB. While the server is away, has no primary or does not confirm
// writes, it says so in the log, tries again with growing pauses, and returns only when ctx ends. What waiting does not
// mend is an error at once: wrong or missing credentials, a lone server without replica set, one of another set or too
// old, a certificate that is not trusted, a clock that is far off. Data of a newer program give ErrNewerFormat.
func OpenMongo(ctx context.Context, uri string, opt MongoOptions) (*Mongo, error) {
	return openMongo(ctx, uri, opt, defaultMongoTiming)
}

func openMongo(ctx context.Context, uri string, opt MongoOptions, timing mongoTiming) (*Mongo, error) {
	m := &Mongo{address: RedactURI(uri), logger: opt.Logger, now: opt.Now, timing: timing,
		stop: make(chan struct{}), logs: map[string]*mongoLog{}, sets: map[string]bool{}}
	if m.logger == nil {
		m.logger = slog.New(slog.DiscardHandler)
	}
	if m.now == nil {
		m.now = time.Now
	}
	parsed, err := connstring.ParseAndValidate(uri)
	if err != nil {
		return nil, fmt.Errorf("store: address of the MongoDB %s: %s", m.address, hideSecrets(err.Error(), uri))
	}
	journal := true
	concern := writeconcern.Majority()
	concern.Journal = &journal
	// After ApplyURI, so that nothing in the address weakens what an acknowledgement means.
	client, err := mongo.Connect(options.Client().ApplyURI(uri).
		SetAppName("sipas").
		SetWriteConcern(concern).SetReadConcern(readconcern.Majority()).SetReadPreference(readpref.Primary()).
		// Appends are resent here until their outcome is known; one rule for that is enough.
		SetRetryWrites(false).
		SetServerSelectionTimeout(timing.selection).SetConnectTimeout(timing.selection).
		SetHeartbeatInterval(time.Second))
	if err != nil {
		return nil, fmt.Errorf("store: address of the MongoDB %s: %s", m.address, hideSecrets(err.Error(), uri))
	}
	m.client = client
	m.hosts, m.named = parsed.Hosts, parsed.Username != ""
	m.direct = func(host string) *options.ClientOptions {
		o := options.Client().ApplyURI(uri).SetHosts([]string{host}).SetDirect(true).
			SetServerSelectionTimeout(timing.selection).SetConnectTimeout(timing.selection)
		o.ReplicaSet = nil
		return o
	}
	name := parsed.Database
	if name == "" {
		name = mongoDatabase
	}
	if slices.Contains([]string{"local", "admin", "config"}, strings.ToLower(name)) {
		// What is in local is on one member alone, whatever majority is asked for.
		return nil, errors.Join(fmt.Errorf("%w: the database %s belongs to the server; name one of your own in SIPAS_MONGODB_URI (mongodb://host/sipas, and ?authSource=admin for the user)", ErrSetup, name),
			client.Disconnect(context.WithoutCancel(ctx)))
	}
	m.db = client.Database(name)
	m.meta = m.db.Collection(mongoMeta)
	m.closing, m.abort = context.WithCancel(context.Background())
	if err := m.start(ctx); err != nil {
		m.abort()
		return nil, errors.Join(err, client.Disconnect(context.WithoutCancel(ctx)))
	}
	for _, l := range m.logs {
		l.startCleaner()
	}
	return m, nil
}

// start waits for a server that can be used, and makes what is missing in the database.
func (m *Mongo) start(ctx context.Context) error {
	for pause := time.Second; ; pause = min(2*pause, 30*time.Second) {
		err := m.prepare(ctx)
		if err == nil || !errors.Is(err, ErrUnavailable) {
			return err
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%w (%w)", err, ctx.Err())
		}
		m.logger.Warn("the MongoDB cannot be used yet; trying again", "address", m.address, "reason", err, "in", pause.String())
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w (%w)", err, ctx.Err())
		case <-time.After(pause/2 + rand.N(pause/2)): // several servers that start together do not ask together
		}
	}
}

// prepare checks the server and the format of its data, and makes the collections and indexes of the known logs.
func (m *Mongo) prepare(ctx context.Context) error {
	if err := m.examine(ctx); err != nil {
		return err
	}
	if err := m.probe(ctx); err != nil {
		return err
	}
	if err := m.checkFormat(ctx); err != nil {
		return err
	}
	for _, log := range knownLogs() {
		l, err := m.log(log)
		if err == nil {
			err = l.ensure(ctx)
		}
		if err != nil {
			return m.explain(ctx, err)
		}
	}
	return nil
}

// checkFormat writes the format of the data into a new database, and compares it in one that is there.
func (m *Mongo) checkFormat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, m.timing.attempt)
	defer cancel()
	var stored struct {
		Version int `bson:"version"`
	}
	err := m.meta.FindOne(ctx, bson.D{{Key: keyID, Value: "format"}}).Decode(&stored)
	if errors.Is(err, mongo.ErrNoDocuments) {
		_, err = m.meta.InsertOne(ctx, bson.D{{Key: keyID, Value: "format"}, {Key: "version", Value: mongoFormat}})
		if mongo.IsDuplicateKeyError(err) {
			return m.checkFormat(ctx) // another server was first
		}
		return m.explain(ctx, err)
	}
	if err != nil {
		return m.explain(ctx, err)
	}
	if stored.Version > mongoFormat {
		return fmt.Errorf("%w: format %d at %s, this program knows %d", ErrNewerFormat, stored.Version, m.address, mongoFormat)
	}
	return nil
}

// Ping implements Engine: it has a majority confirm a write. Answers are shared for a second, so that probes, however
// many, are no load.
func (m *Mongo) Ping(ctx context.Context) error {
	if err := m.check(ctx); err != nil {
		return err
	}
	m.mu.Lock()
	fresh, err := time.Since(m.lastPing) < m.timing.ping, m.pingErr
	m.mu.Unlock()
	if fresh {
		return err
	}
	result := m.pings.DoChan("", func() (any, error) {
		probing, cancel := context.WithTimeout(m.closing, m.timing.attempt)
		defer cancel()
		err := m.examine(probing)
		if err == nil {
			err = m.probe(probing)
		}
		m.mu.Lock()
		m.lastPing, m.pingErr = time.Now(), err
		m.mu.Unlock()
		return nil, err
	})
	select {
	case r := <-result:
		return r.Err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close implements Engine.
func (m *Mongo) Close() error {
	var err error
	m.once.Do(func() {
		m.mu.Lock()
		close(m.stop)
		m.mu.Unlock()
		done := make(chan struct{})
		go func() {
			m.running.Wait()
			close(done)
		}()
		select {
		case <-done:
		case <-time.After(m.timing.grace):
			m.abort()
			<-done
		}
		m.abort()
		m.mu.Lock()
		logs := m.logs
		m.mu.Unlock()
		for _, l := range logs {
			l.announce()
		}
		limit, cancel := context.WithTimeout(context.Background(), m.timing.grace)
		defer cancel()
		if err = m.client.Disconnect(limit); err != nil {
			err = fmt.Errorf("store: disconnect from %s: %w", m.address, err)
		}
	})
	return err
}

// check is at the start of every method.
func (m *Mongo) check(ctx context.Context) error {
	if m.closed() {
		return ErrClosed
	}
	return ctx.Err()
}

func (m *Mongo) closed() bool {
	select {
	case <-m.stop:
		return true
	default:
		return false
	}
}

// spawn runs fn beside others until Close, unless that has begun.
func (m *Mongo) spawn(fn func()) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed() {
		return false
	}
	m.running.Go(fn)
	return true
}

// do tries an operation until it succeeds, fails for good, or patience or ctx end. limit bounds one try: a server that
// is frozen never answers. What an operation reads in several steps it sees in their order (a causally consistent
// session), also when another server becomes primary between them.
func (m *Mongo) do(ctx context.Context, limit time.Duration, op func(context.Context) error) error {
	if err := m.check(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(m.closing, cancel)()
	began := time.Now()
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		err := m.try(ctx, limit, op)
		switch {
		case err == nil || !transient(err):
			return m.translate(ctx, err)
		case ctx.Err() != nil || time.Since(began) > m.timing.patience:
			return m.translate(ctx, err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

func (m *Mongo) try(ctx context.Context, limit time.Duration, op func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	session, err := m.session()
	if err != nil {
		return err
	}
	defer m.endSession(session)
	return op(mongo.NewSessionContext(ctx, session))
}

// session starts a session that sees whatever this process has seen or written.
func (m *Mongo) session() (*mongo.Session, error) {
	session, err := m.client.StartSession()
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	cluster, operation := m.clusterTime, m.operationTime
	m.mu.Unlock()
	if cluster != nil {
		err = session.AdvanceClusterTime(cluster)
	}
	if operation != nil {
		err = errors.Join(err, session.AdvanceOperationTime(operation))
	}
	return session, err
}

func (m *Mongo) endSession(session *mongo.Session) {
	cluster, operation := session.ClusterTime(), session.OperationTime()
	m.mu.Lock()
	if operation != nil && (m.operationTime == nil || operation.After(*m.operationTime)) {
		m.operationTime, m.clusterTime = operation, cluster
	}
	m.mu.Unlock()
	session.EndSession(context.Background())
}

// log returns what is kept of a log.
func (m *Mongo) log(log *Log) (*mongoLog, error) {
	if log.Name == "" || len(log.Name) > 100 || log.Name == mongoMeta {
		return nil, fmt.Errorf("store: bad name of a log: %q", log.Name)
	}
	for _, f := range log.Fields {
		if mongoReserved[f.Name] {
			return nil, fmt.Errorf("store: log %s cannot have a field named %s", log.Name, f.Name)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.logs[log.Name]
	if l == nil {
		l = newMongoLog(m, log.Name)
		m.logs[log.Name] = l
	}
	return l, nil
}

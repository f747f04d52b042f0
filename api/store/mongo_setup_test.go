package store

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"sipas/api/store/mongotest"
)

// What the user of a message must find in it, and whether the start waits for it to pass.
type setupTest struct {
	name  string
	uri   string
	clock time.Duration // how far this machine's clock is ahead
	want  []string
	err   error // nil: it waits
}

// TestMongoSetup: each thing that is wrong with a server or an address has its own message, which says what to do and
// tells no password; only what may pass by itself is waited for.
func TestMongoSetup(t *testing.T) {
	t.Parallel()
	single := mongotest.Start(t, mongotest.Options{Nodes: 1})
	lone := mongotest.Start(t, mongotest.Options{Standalone: true})
	locked := mongotest.Start(t, mongotest.Options{Nodes: 1, Auth: true, TLS: true})
	addUser(t, locked, "guest", "guest-pa55word")

	newer := single.URI()
	newest := mongotest.Database(t, newer).Collection(mongoMeta)
	if _, err := newest.InsertOne(t.Context(), bson.D{{Key: keyID, Value: "format"}, {Key: "version", Value: mongoFormat + 1}}); err != nil {
		t.Fatal(err)
	}
	credentials := mongotest.User + ":" + mongotest.Password + "@"
	withoutCA, _, _ := strings.Cut(locked.URI(), "&tlsCAFile=")
	withoutTLS, _, _ := strings.Cut(locked.URI(), "&tls=true")
	name := parameter(single.URI(), "replicaSet=")
	nobody := closedAddress(t)
	old := oldServer(t)
	for _, test := range []setupTest{
		{name: "wrong password", uri: strings.Replace(locked.URI(), mongotest.Password, "gue55ed", 1), err: ErrSetup,
			want: []string{"refuses the user or password", "SIPAS_MONGODB_URI", "authSource"}},
		{name: "wrong password, encoded", uri: strings.Replace(locked.URI(), mongotest.Password, "gue55ed%40%2Fx", 1), err: ErrSetup,
			want: []string{"refuses the user or password"}},
		{name: "no user", uri: strings.Replace(locked.URI(), credentials, "", 1), err: ErrSetup,
			want: []string{"wants a user", "SIPAS_MONGODB_URI names none"}},
		{name: "user without rights", uri: strings.Replace(locked.URI(), credentials, "guest:guest-pa55word@", 1), err: ErrSetup,
			want: []string{"does not let it", "readWrite"}},
		{name: "untrusted certificate", uri: withoutCA, err: ErrSetup, want: []string{"TLS", "tlsCAFile"}},
		{name: "no TLS", uri: withoutTLS, want: []string{"cannot be reached"}},
		{name: "lone server", uri: lone.URI(), err: ErrSetup, want: []string{"lone server", "--replSet", "rs.initiate()"}},
		{name: "lone server for a set", uri: lone.URI() + "&replicaSet=rs0", err: ErrSetup, want: []string{"lone server", "--replSet", "rs.initiate()"}},
		{name: "another set", uri: strings.Replace(single.URI(), name, "rs0", 1), err: ErrSetup, want: []string{"replicaSet=", name}},
		{name: "database of one member alone", uri: regexp.MustCompile(`/[^/?]+\?`).ReplaceAllString(single.URI(), "/Local?"), err: ErrSetup, want: []string{"belongs to the server", "/sipas"}},
		{name: "clock ahead", uri: single.URI(), clock: 2 * time.Hour, err: ErrSetup, want: []string{"clock", "2h0m0s ahead", "NTP"}},
		{name: "clock behind", uri: single.URI(), clock: -2 * time.Hour, err: ErrSetup, want: []string{"clock", "2h0m0s behind", "NTP"}},
		{name: "old server", uri: "mongodb://root:old-pa55word@" + old + "/sipas", err: ErrSetup, want: []string{"too old", "6.0"}},
		{name: "newer data", uri: newer, err: ErrNewerFormat, want: []string{"newer format", "format 2"}},
		{name: "nobody there", uri: "mongodb://root:away-pa55word@" + nobody + "/sipas?replicaSet=rs0", want: []string{"cannot be reached", nobody}},
		{name: "no such host", uri: "mongodb://root:away-pa55word@sipas.invalid/sipas?replicaSet=rs0", want: []string{"cannot be reached", "sipas.invalid"}},
		{name: "not an address", uri: "mongodb://root:away-pa55word@" + nobody + "/sipas?w=minority&journal=maybe", err: errAny, want: []string{"address"}},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t) })
	}
	t.Run("too few members", func(t *testing.T) {
		set := mongotest.Start(t, mongotest.Options{})
		set.Kill(t, 0)
		set.Kill(t, 1)
		setupTest{uri: set.URI(), want: []string{"no primary", "majority"}}.run(t)
		set.Restart(t, 0)
		openMongoAt(t, set.URI()) // which waits until it can be used
	})
}

// errAny stands for an error of no kind, which is no reason to wait.
var errAny = errors.New("any")

func (test setupTest) run(t *testing.T) {
	t.Helper()
	var said lockedBuffer
	limit := 20 * time.Second
	if test.err == nil {
		limit = 3 * time.Second
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	timing := defaultMongoTiming
	timing.selection, timing.attempt = time.Second, 2*time.Second
	opt := MongoOptions{Logger: slog.New(slog.NewJSONHandler(&said, nil)), Now: func() time.Time { return time.Now().Add(test.clock) }}
	m, err := openMongo(ctx, test.uri, opt, timing)
	if err == nil {
		t.Fatalf("it opened; Close: %v", m.Close())
	}
	waited := errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil
	switch {
	case test.err == nil && (!waited || !errors.Is(err, ErrUnavailable)):
		t.Errorf("it did not wait: %v", err)
	case test.err != nil && waited:
		t.Errorf("it waited: %v", err)
	case test.err != nil && test.err != errAny && !errors.Is(err, test.err):
		t.Errorf("error %v, want %v", err, test.err)
	}
	log := said.String()
	for _, want := range test.want {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in: %v", want, err)
		}
		if test.err == nil && !strings.Contains(log, want) {
			t.Errorf("no %q in the log: %s", want, log)
		}
	}
	_, password, _ := strings.Cut(test.uri, "://")
	password, _, with := strings.Cut(password, "@")
	if _, password, _ = strings.Cut(password, ":"); with {
		for _, secret := range []string{password, strings.TrimSuffix(password, "%40%2Fx")} {
			if strings.Contains(err.Error()+log, secret) {
				t.Errorf("the password is in: %v\n%s", err, log)
			}
		}
	}
	t.Log(err)
}

// lockedBuffer is a log that several goroutines write.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// addUser adds a user who may do nothing.
func addUser(t *testing.T, set *mongotest.Set, name, password string) {
	t.Helper()
	command := bson.D{{Key: "createUser", Value: name}, {Key: "pwd", Value: password}, {Key: "roles", Value: bson.A{}}}
	if err := set.Client(t).Database("admin").RunCommand(t.Context(), command).Err(); err != nil {
		t.Fatal(err)
	}
}

// parameter returns the value of a parameter of an address.
func parameter(uri, name string) string {
	_, value, _ := strings.Cut(uri, name)
	value, _, _ = strings.Cut(value, "&")
	return value
}

// closedAddress is one where nobody listens.
func closedAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// oldServer answers every command as a MongoDB 3.6 answers hello, and returns its address.
func oldServer(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	hello, err := bson.Marshal(bson.D{{Key: "ok", Value: 1.0}, {Key: "ismaster", Value: true}, {Key: "setName", Value: "rs0"},
		{Key: "hosts", Value: bson.A{ln.Addr().String()}}, {Key: "me", Value: ln.Addr().String()},
		{Key: "localTime", Value: time.Now()}, {Key: "minWireVersion", Value: 0}, {Key: "maxWireVersion", Value: 6},
		{Key: "maxBsonObjectSize", Value: 16 << 20}, {Key: "maxMessageSizeBytes", Value: 48000000}, {Key: "maxWriteBatchSize", Value: 100000}})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go answerHello(conn, hello)
		}
	}()
	return ln.Addr().String()
}

// Codes of messages: a query and its answer from before MongoDB 3.6, and what both sides send since.
const opReply, opQuery, opMsg = 1, 2004, 2013

// answerHello gives one answer to every message of a connection until it ends.
func answerHello(conn net.Conn, hello []byte) {
	defer conn.Close()
	var header [16]byte
	for r := bufio.NewReader(conn); ; {
		if _, err := io.ReadFull(r, header[:]); err != nil {
			return
		}
		if _, err := r.Discard(int(binary.LittleEndian.Uint32(header[:])) - len(header)); err != nil {
			return
		}
		before, code := make([]byte, 5), uint32(opMsg) // flags, kind of the section
		if binary.LittleEndian.Uint32(header[12:]) == opQuery {
			before, code = make([]byte, 20), opReply // flags, cursor, start, number of documents
			before[16] = 1
		}
		answer := binary.LittleEndian.AppendUint32(nil, uint32(len(header)+len(before)+len(hello)))
		answer = append(append(answer, 0, 0, 0, 0), header[4:8]...)
		answer = binary.LittleEndian.AppendUint32(answer, code)
		if _, err := conn.Write(append(append(answer, before...), hello...)); err != nil {
			return
		}
	}
}

// TestMongoAddressWeakensNothing: whatever an address asks for, every write is confirmed by a majority with journal, and
// every read is a majority read from the primary. The servers' own logs say what they were sent.
func TestMongoAddressWeakensNothing(t *testing.T) {
	t.Parallel()
	set := mongotest.Start(t, mongotest.Options{})
	const nodes = 3
	var logs [nodes]*mongo.Database
	for i := range logs {
		logs[i] = mongotest.Database(t, "mongodb://"+set.Address(i)+"/admin?directConnection=true")
		for _, p := range []bson.E{
			{Key: "logComponentVerbosity", Value: bson.D{{Key: "command", Value: bson.D{{Key: "verbosity", Value: 2}}}}},
			{Key: "mirrorReads", Value: bson.D{{Key: "samplingRate", Value: 0.0}}}, // a primary repeats some reads on the others, to warm them
		} {
			if err := logs[i].RunCommand(t.Context(), bson.D{{Key: "setParameter", Value: 1}, p}).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, weak := range []string{"", "w=0", "w=1&journal=false", "readPreference=secondary", "readPreference=secondaryPreferred&maxStalenessSeconds=90",
		"readConcernLevel=local", "readConcernLevel=available&w=1", "retryWrites=true&retryReads=true", "w=0&journal=false&readPreference=nearest&readConcernLevel=local"} {
		t.Run(weak, func(t *testing.T) {
			set.Settle(t)
			uri := set.URI() + "&" + weak
			primary := set.Primary(t)
			m, err := OpenMongo(t.Context(), uri, MongoOptions{})
			if err != nil {
				t.Fatal(err)
			}
			useEverything(t, m)
			if err := m.Close(); err != nil {
				t.Fatal(err)
			}
			name := mongotest.Database(t, uri).Name()
			for i := range logs {
				sent := commandsFor(t, logs[i], name)
				if i == primary {
					checkCommands(t, sent)
				} else if len(sent) > 0 {
					t.Errorf("a secondary was sent %v", sent)
				}
			}
		})
	}
}

// commandsFor returns the commands for a database that a server has in its log.
func commandsFor(t *testing.T, admin *mongo.Database, name string) []bson.Raw {
	t.Helper()
	var answer struct{ Log []string }
	if err := admin.RunCommand(t.Context(), bson.D{{Key: "getLog", Value: "global"}}).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	var sent []bson.Raw
	for _, line := range answer.Log {
		var entry struct {
			Message string `bson:"msg"`
			About   struct {
				DB      string   `bson:"db"`
				Command bson.Raw `bson:"commandArgs"`
			} `bson:"attr"`
		}
		if !strings.Contains(line, name) {
			continue
		}
		if err := bson.UnmarshalExtJSON([]byte(line), false, &entry); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if entry.Message == "About to run the command" && entry.About.DB == name {
			sent = append(sent, entry.About.Command)
		}
	}
	return sent
}

// useEverything calls each method of an engine that reads or writes.
func useEverything(t *testing.T, m *Mongo) {
	t.Helper()
	w := watch(t, m)
	entries := testEntries(0, 20)
	mustAppend(t, m, entries...)
	wantOutcomes(t, m, entries[:1], Duplicate)
	wantFound(t, m, entries[0])
	if _, err := m.FindReceipt(t.Context(), testLog, []byte("none")); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	mustErase := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	mustErase(m.Erase(t.Context(), testLog, entries[1].ID))
	mustErase(m.Bury(t.Context(), testLog, []ID{entries[2].ID, {1: 7}}))
	w.read()
	w.want(m)
	wantCount(t, m, 18, 3)
	if n := len(tombstones(t, m, testLog)); n != 3 {
		t.Errorf("%d tombstones", n)
	}
	revision := mustPut(t, m, "units", "a", `{"n":1}`)
	if _, err := m.Put(t.Context(), "units", Document{ID: "a", Revision: revision, Body: []byte(`{"n":2}`)}); err != nil {
		t.Error(err)
	}
	docs, _, err := m.List(t.Context(), "units")
	if err != nil || len(docs) != 1 {
		t.Fatalf("List: %v, %v", docs, err)
	}
	if err := m.Delete(t.Context(), "units", "a", docs[0].Revision); err != nil {
		t.Error(err)
	}
	if _, err := m.SetRevisions(t.Context()); err != nil {
		t.Error(err)
	}
	if err := m.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	l, err := m.log(testLog)
	if err != nil {
		t.Fatal(err)
	}
	look, err := l.look(t.Context())
	if err == nil {
		err = l.strip(t.Context(), look)
	}
	if err != nil {
		t.Error(err)
	}
}

func checkCommands(t *testing.T, sent []bson.Raw) {
	t.Helper()
	// Those that write, those that read, and those that take neither concern.
	kinds := map[string]string{"insert": "write", "update": "write", "delete": "write", "findAndModify": "write", "create": "write", "createIndexes": "write",
		"find": "read", "aggregate": "read", "count": "read", "hello": "", "getMore": "", "listCollections": ""}
	missing := maps.Clone(kinds)
	for _, command := range sent {
		elements, err := command.Elements()
		if err != nil {
			t.Fatal(err)
		}
		name := elements[0].Key()
		delete(missing, name)
		kind, known := kinds[name]
		at := func(path ...string) string { return command.Lookup(path...).String() }
		preference := at("$readPreference", "mode")
		switch {
		case !known:
			t.Errorf("%s is not known to this test", name)
		case preference != "" && preference != `"primary"`:
			t.Errorf("%s may go to another server: %.300s", name, command)
		case kind == "write" && (at("writeConcern", "w") != `"majority"` || at("writeConcern", "j") != "true"):
			t.Errorf("%s is not confirmed by a majority with journal: %.300s", name, command)
		case kind == "read" && at("readConcern", "level") != `"majority"`:
			t.Errorf("%s is no majority read: %.300s", name, command)
		}
	}
	for name, kind := range missing {
		if kind != "" {
			t.Errorf("no %s was seen among %d commands", name, len(sent))
		}
	}
}

// TestMongoLocked runs the parts of the conformance suite that touch every method on a set with users and TLS.
func TestMongoLocked(t *testing.T) {
	t.Parallel()
	set := mongotest.Start(t, mongotest.Options{Auth: true, TLS: true})
	for name, test := range map[string]func(*testing.T, Engine){
		"documents": testDocuments, "outcomes": testOutcomes, "find": testFind, "erase": testErase, "bury": testBury,
		"scan": testScan, "follow": testFollow, "concurrent distinct": testConcurrentDistinct, "closed": testClosed,
	} {
		t.Run(name, func(t *testing.T) { test(t, openMongoAt(t, set.URI())) })
	}
}

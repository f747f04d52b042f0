package mongotest

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// write stores a document in a majority, and tries again while the driver still
// waits for a node that is frozen.
func write(t *testing.T, db *mongo.Database, id int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c := db.Collection("kept", options.Collection().SetWriteConcern(writeconcern.Majority()))
	for {
		attempt, done := context.WithTimeout(ctx, 10*time.Second)
		_, err := c.InsertOne(attempt, bson.D{{Key: "_id", Value: id}})
		done()
		if err == nil || mongo.IsDuplicateKeyError(err) { // of a try before
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("write %d: %v", id, err)
		}
	}
}

func count(t *testing.T, db *mongo.Database) int {
	t.Helper()
	n, err := db.Collection("kept").CountDocuments(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	return int(n)
}

func TestSharedSet(t *testing.T) {
	var names []string
	for i := range 2 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			uri := URI(t)
			db := Database(t, uri)
			write(t, db, 1)
			if n := count(t, db); n != 1 {
				t.Errorf("a new database holds %d documents after one write", n)
			}
			names = append(names, db.Name())
		})
	}
	if len(names) != 2 { // skipped
		t.SkipNow()
	}
	client := connect(t, URI(t))
	left, err := client.ListDatabaseNames(t.Context(), bson.D{{Key: "name", Value: bson.D{{Key: "$in", Value: names}}}})
	if err != nil {
		t.Fatal(err)
	}
	if names[0] == names[1] || len(left) != 0 {
		t.Errorf("two tests had databases %v, %v are left", names, left)
	}
}

// TestGivenServer: the address in the environment is used, with its credentials and with a database of the test's own.
func TestGivenServer(t *testing.T) {
	s := Start(t, Options{Nodes: 1, Auth: true})
	given := "mongodb://" + User + ":" + Password + "@" + s.Address(0) + "/admin?replicaSet=" + s.name
	t.Setenv("SIPAS_TEST_MONGODB_URI", given)
	uri := URI(t)
	if !strings.Contains(uri, s.Address(0)) {
		t.Fatalf("the server is another one: %s", uri)
	}
	write(t, Database(t, uri), 1)
}

// TestFailover kills, freezes and stops the primary: each time another node takes over and nothing a majority held is
// lost.
func TestFailover(t *testing.T) {
	s := Start(t, Options{})
	db := Database(t, s.URI())
	write(t, db, 0)
	steps := []struct {
		name       string
		harm, mend func(testing.TB, int)
	}{
		{"kill", s.Kill, s.Restart},
		{"freeze", s.Freeze, s.Thaw},
		{"stop", s.Stop, s.Restart},
	}
	for i, step := range steps {
		old := s.Primary(t)
		step.harm(t, old)
		if now := s.Primary(t); now == old {
			t.Fatalf("%s: node %d is still primary", step.name, old)
		}
		write(t, db, i+1)
		step.mend(t, old)
		s.Settle(t)
	}
	if n := count(t, db); n != len(steps)+1 {
		t.Errorf("%d documents, %d were written", n, len(steps)+1)
	}
}

func TestKinds(t *testing.T) {
	tests := []struct {
		name   string
		opts   Options
		refuse func(uri string) string // makes an address that must not work, if any
	}{
		{"standalone", Options{Standalone: true}, nil},
		{"one node", Options{Nodes: 1}, func(uri string) string { return strings.Replace(uri, "replicaSet=", "replicaSet=x", 1) }},
		{"authentication", Options{Auth: true}, func(uri string) string { return strings.Replace(uri, Password, "guess", 1) }},
		{"authentication, standalone", Options{Auth: true, Standalone: true}, func(uri string) string { return strings.Replace(uri, User+":"+Password+"@", "", 1) }},
		{"TLS", Options{TLS: true}, func(uri string) string {
			before, _, _ := strings.Cut(uri, "&tls=true")
			return before
		}},
		{"both", Options{Nodes: 1, TLS: true, Auth: true}, func(uri string) string {
			before, _, _ := strings.Cut(uri, "&tlsCAFile")
			return before
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := Start(t, test.opts)
			uri := s.URI()
			write(t, Database(t, uri), 1)
			if test.refuse == nil {
				return
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			if _, err := Database(t, test.refuse(uri)).Collection("kept").InsertOne(ctx, bson.D{}); err == nil {
				t.Errorf("%s was accepted", test.refuse(uri))
			}
		})
	}
}

func TestWithDatabase(t *testing.T) {
	tests := []struct{ uri, want string }{
		{"mongodb://a:1,b:2", "mongodb://a:1,b:2/new"},
		{"mongodb://a:1/?replicaSet=r", "mongodb://a:1/new?replicaSet=r"},
		{"mongodb://a:1/old?replicaSet=r", "mongodb://a:1/new?replicaSet=r"},
		{"mongodb://u:p@a:1/", "mongodb://u:p@a:1/new?authSource=admin"},
		{"mongodb+srv://u:p@a/old?w=1", "mongodb+srv://u:p@a/new?w=1&authSource=old"},
		{"mongodb://u:p@a/old?authsource=x", "mongodb://u:p@a/new?authsource=x"},
	}
	for _, test := range tests {
		if got := withDatabase(test.uri, "new"); got != test.want {
			t.Errorf("withDatabase(%q) = %q, want %q", test.uri, got, test.want)
		}
	}
}

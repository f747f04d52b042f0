// Package mongotest gives tests a real MongoDB: a replica set that the tests of a binary share, or one of their own that
// they may break. It is for tests alone.
//
// It starts the mongod at SIPAS_TEST_MONGOD, else the one on PATH. A package whose tests call URI also calls Stop from
// its TestMain.
package mongotest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// patience bounds every wait here. It is far longer than anything takes, so that a slow machine does not fail a test.
const patience = 5 * time.Minute

// shared is the set of this test binary. It is a global because the tests of a package have nothing else in common; only
// URI and Stop touch it.
var shared struct {
	sync.Mutex
	set *Set
	err error // why it could not be started; it is not tried again
}

// URI returns the address of a replica set with a database name of its own, which is dropped when the test ends. The
// set is the one at SIPAS_TEST_MONGODB_URI, else three nodes on loopback, which all tests of the binary share: a test
// that breaks nodes takes Start. Without either the test is skipped, or fails with CI=true.
func URI(t testing.TB) string {
	t.Helper()
	address := os.Getenv("SIPAS_TEST_MONGODB_URI")
	if address == "" {
		binary := findMongod()
		if binary == "" {
			without(t, "needs a MongoDB: set SIPAS_TEST_MONGODB_URI to the address of a replica set, or SIPAS_TEST_MONGOD to a mongod")
		}
		set, err := sharedSet(binary)
		if err != nil {
			t.Fatal(err)
		}
		address = set.URI()
	}
	address = withDatabase(address, newDatabase())
	db := Database(t, address)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := db.Drop(ctx); err != nil {
			t.Errorf("drop the database of the test: %v", err)
		}
	})
	return address
}

// Stop ends the set that the tests of this binary shared, if any. TestMain calls it after m.Run. (On Linux the nodes
// also die with the test process, however it ends, but then their folders stay.)
func Stop() error {
	shared.Lock()
	defer shared.Unlock()
	if shared.set == nil {
		return nil
	}
	err := shared.set.close()
	shared.set, shared.err = nil, errors.New("the shared set was stopped")
	return err
}

// Database returns the database that an address names, through a plain client with the driver's defaults: what the
// address itself asks for holds, nothing of the engine's does. The client is closed when the test ends.
func Database(t testing.TB, uri string) *mongo.Database {
	t.Helper()
	_, _, name, _ := splitURI(uri)
	return connect(t, uri).Database(name)
}

func connect(t testing.TB, uri string) *mongo.Client {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := disconnect(client); err != nil {
			t.Errorf("disconnect from the database: %v", err)
		}
	})
	return client
}

// disconnect closes a client. It does not take the time to tell the servers, which the test may have killed.
func disconnect(client *mongo.Client) error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return client.Disconnect(ctx)
}

func sharedSet(binary string) (*Set, error) {
	shared.Lock()
	defer shared.Unlock()
	if shared.set == nil && shared.err == nil {
		shared.set, shared.err = newSet(binary, Options{})
	}
	return shared.set, shared.err
}

// findMongod returns the mongod to start, "" when there is none.
func findMongod() string {
	if binary := os.Getenv("SIPAS_TEST_MONGOD"); binary != "" {
		return binary
	}
	binary, err := exec.LookPath("mongod")
	if err != nil {
		return ""
	}
	return binary
}

// without ends a test that cannot run here.
func without(t testing.TB, need string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(need)
	}
	t.Skip(need)
}

// newDatabase returns a name that no other test has, on this machine or another: they may use one server. It is in
// lower case because two names must not differ in case alone.
func newDatabase() string { return "sipas_test_" + strings.ToLower(rand.Text()) }

// splitURI cuts an address into scheme, servers with credentials, database and options, the last two possibly empty.
// net/url does not read addresses of several servers.
func splitURI(uri string) (scheme, servers, database, opts string) {
	scheme, rest, _ := strings.Cut(uri, "://")
	rest, opts, _ = strings.Cut(rest, "?")
	servers, database, _ = strings.Cut(rest, "/")
	return scheme, servers, database, opts
}

// withDatabase puts another database name into an address. Credentials are still looked up where the address said: by
// default that is the database it names, else admin.
func withDatabase(uri, name string) string {
	scheme, servers, database, opts := splitURI(uri)
	if strings.Contains(servers, "@") && !strings.Contains(strings.ToLower(opts), "authsource=") {
		if database == "" {
			database = "admin"
		}
		if opts != "" {
			opts += "&"
		}
		opts += "authSource=" + database
	}
	uri = fmt.Sprintf("%s://%s/%s", scheme, servers, name)
	if opts != "" {
		uri += "?" + opts
	}
	return uri
}

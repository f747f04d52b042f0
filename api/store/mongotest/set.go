package mongotest

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// User and Password are the credentials of a set with Options.Auth. A test of wrong ones replaces Password in the URI.
const (
	User     = "sipas"
	Password = "correct-horse"
)

// Options say what Start starts.
type Options struct {
	Nodes      int  // 0 means 3
	Auth       bool // nodes share a key file, clients need User and Password
	TLS        bool // nodes accept TLS only; the URI names the file of the authority that signed their certificates
	Standalone bool // one mongod that is no replica set
}

// Set is a running replica set, or one mongod with Options.Standalone. Its nodes are numbered from 0. The methods may
// be called from many goroutines, but not two for the same node.
type Set struct {
	binary, name, folder string
	opts                 Options
	nodes                []*node
}

type node struct {
	address string
	folder  string
	client  *mongo.Client // to this node alone, without credentials

	mu      sync.Mutex
	process *process // nil when it is killed or stopped
	frozen  bool
}

// Start starts a set that ends with the test and that the test may break. Without a mongod the test is skipped, or fails
// with CI=true.
func Start(t testing.TB, opts Options) *Set {
	t.Helper()
	binary := findMongod()
	if binary == "" {
		without(t, "needs a mongod of its own: set SIPAS_TEST_MONGOD to one")
	}
	s, err := newSet(binary, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Errorf("end the replica set: %v", err)
		}
	})
	return s
}

// URI returns the address of the set with a database name that is new at each call, and with what a client needs to get
// in.
func (s *Set) URI() string {
	servers := make([]string, len(s.nodes))
	for i, n := range s.nodes {
		servers[i] = n.address
	}
	credentials, opts := "", []string{}
	if s.opts.Auth {
		credentials = User + ":" + Password + "@"
		opts = append(opts, "authSource=admin")
	}
	if !s.opts.Standalone {
		opts = append(opts, "replicaSet="+s.name)
	}
	if s.opts.TLS {
		opts = append(opts, "tls=true", "tlsCAFile="+filepath.ToSlash(s.authorityFile()))
	}
	return fmt.Sprintf("mongodb://%s%s/%s?%s", credentials, strings.Join(servers, ","), newDatabase(), strings.Join(opts, "&"))
}

// Address returns the host and port of a node.
func (s *Set) Address(node int) string { return s.nodes[node].address }

// Client returns a plain client of the set, with the driver's defaults, closed when the test ends.
func (s *Set) Client(t testing.TB) *mongo.Client {
	t.Helper()
	return connect(t, s.URI())
}

// Primary returns the number of the node that is primary now and waits until there is one. Frozen nodes do not count;
// of two that believe they are, it is the one elected last.
func (s *Set) Primary(t testing.TB) int {
	t.Helper()
	primary, err := s.primary()
	if err != nil {
		t.Fatal(err)
	}
	return primary
}

// Kill ends a node at once, as a power cut would (SIGKILL).
func (s *Set) Kill(t testing.TB, node int) {
	t.Helper()
	s.nodes[node].end(t, (*os.Process).Kill)
}

// Stop ends a node cleanly (SIGTERM): a primary hands over first.
func (s *Set) Stop(t testing.TB, node int) {
	t.Helper()
	s.nodes[node].end(t, terminate)
}

// Freeze stops a node without ending it (SIGSTOP): its connections stay open and nothing answers. On Windows the test is
// skipped.
func (s *Set) Freeze(t testing.TB, node int) {
	t.Helper()
	s.nodes[node].setFrozen(t, true)
}

// Thaw lets a frozen node go on (SIGCONT).
func (s *Set) Thaw(t testing.TB, node int) {
	t.Helper()
	s.nodes[node].setFrozen(t, false)
}

// Restart starts a killed or stopped node again, at its address and with its data. It returns when the node accepts
// connections, which is before it has caught up; see Settle.
func (s *Set) Restart(t testing.TB, node int) {
	t.Helper()
	n := s.nodes[node]
	err := poll(func() error {
		err := s.launch(n)
		if errors.Is(err, errPortTaken) {
			return err // by a connection that somebody made meanwhile; it will go
		}
		return final(err)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Settle waits until there is a primary and every node that runs, frozen ones aside, follows it and has what the primary
// had. (MongoDB 6.0 may never give up on the node that it began to copy from when that is frozen meanwhile.)
func (s *Set) Settle(t testing.TB) {
	t.Helper()
	if err := s.settle(); err != nil {
		t.Fatal(err)
	}
}

// newSet starts a set and waits until all nodes are in service.
func newSet(binary string, opts Options) (*Set, error) {
	if opts.Nodes == 0 {
		opts.Nodes = 3
	}
	if opts.Standalone {
		opts.Nodes = 1
	}
	var err error
	for range 5 { // each time on other ports
		var s *Set
		if s, err = tryNewSet(binary, opts); !errors.Is(err, errPortTaken) {
			return s, err
		}
	}
	return nil, err
}

func tryNewSet(binary string, opts Options) (*Set, error) {
	folder, err := os.MkdirTemp("", "mongotest-")
	if err != nil {
		return nil, err
	}
	// A driver that meets another set on a port it once knew must not take it for its own.
	s := &Set{binary: binary, name: "set" + strings.ToLower(rand.Text()[:8]), folder: folder, opts: opts}
	if err := s.begin(); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *Set) begin() error {
	if s.opts.Auth {
		key := base64.StdEncoding.EncodeToString([]byte(rand.Text() + rand.Text()))
		if err := os.WriteFile(s.keyFile(), []byte(key), 0o600); err != nil {
			return err
		}
	}
	if s.opts.TLS {
		if err := writeCertificates(s.authorityFile(), s.certificateFile(), time.Now()); err != nil {
			return fmt.Errorf("make certificates: %w", err)
		}
	}
	addresses, err := freeAddresses(s.opts.Nodes)
	if err != nil {
		return err
	}
	for i, address := range addresses {
		n := &node{address: address, folder: filepath.Join(s.folder, strconv.Itoa(i))}
		if err := os.Mkdir(n.folder, 0o700); err != nil {
			return err
		}
		if n.client, err = s.directClient(address); err != nil {
			return err
		}
		s.nodes = append(s.nodes, n)
	}
	failed := make(chan error, len(s.nodes))
	for _, n := range s.nodes {
		go func() { failed <- s.launch(n) }()
	}
	for range s.nodes {
		err = errors.Join(err, <-failed)
	}
	if err != nil {
		return err
	}
	if !s.opts.Standalone {
		if err := s.initiate(); err != nil {
			return fmt.Errorf("initiate the replica set: %w", err)
		}
	}
	if s.opts.Auth {
		return s.createUser()
	}
	return nil
}

func (s *Set) keyFile() string         { return filepath.Join(s.folder, "key") }
func (s *Set) authorityFile() string   { return filepath.Join(s.folder, "authority.pem") }
func (s *Set) certificateFile() string { return filepath.Join(s.folder, "node.pem") }

// launch starts a node's process and waits until it accepts connections.
func (s *Set) launch(n *node) error {
	host, port, err := net.SplitHostPort(n.address)
	if err != nil {
		return err
	}
	args := []string{
		"--bind_ip", host, "--port", port, "--dbpath", n.folder, "--wiredTigerCacheSizeGB", "0.25",
		"--setParameter", "diagnosticDataCollectionEnabled=false",
		"--setParameter", "shutdownTimeoutMillisForSignaledShutdown=100", // else a primary lingers 15 s after SIGTERM
		// Else a secondary that copies from a frozen node may wait a minute for it, and no majority confirms writes.
		"--setParameter", "oplogNetworkTimeoutBufferSeconds=1", "--setParameter", "oplogInitialFindMaxSeconds=2",
	}
	if runtime.GOOS != "windows" {
		args = append(args, "--nounixsocket")
	}
	if !s.opts.Standalone {
		args = append(args, "--replSet", s.name, "--oplogSize", "64")
	}
	switch {
	case s.opts.Auth && s.opts.Standalone:
		args = append(args, "--auth")
	case s.opts.Auth:
		args = append(args, "--keyFile", s.keyFile())
	}
	if s.opts.TLS {
		args = append(args, "--tlsMode", "requireTLS", "--tlsCertificateKeyFile", s.certificateFile(),
			"--tlsCAFile", s.authorityFile(), "--tlsAllowConnectionsWithoutCertificates")
	}
	p, err := startProcess(s.binary, args, n.folder+".log")
	if err != nil {
		return err
	}
	err = poll(func() error {
		select {
		case <-p.done:
			return final(p.failure())
		default:
		}
		c, err := net.Dial("tcp", n.address)
		if err != nil {
			return err
		}
		return c.Close()
	})
	// What accepted may have been whoever took the port.
	select {
	case <-p.done:
		return p.failure()
	default:
	}
	if err != nil {
		return errors.Join(err, p.end((*os.Process).Kill), errors.New(p.logTail()))
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.process, n.frozen = p, false
	return nil
}

// initiate makes the nodes a set in which a fail-over takes about two seconds rather than ten.
func (s *Set) initiate() error {
	members := bson.A{}
	for i, n := range s.nodes {
		members = append(members, bson.D{{Key: "_id", Value: i}, {Key: "host", Value: n.address}})
	}
	err := s.nodes[0].admin(bson.D{{Key: "replSetInitiate", Value: bson.D{
		{Key: "_id", Value: s.name},
		{Key: "members", Value: members},
		{Key: "settings", Value: bson.D{
			{Key: "electionTimeoutMillis", Value: 2000},
			{Key: "heartbeatIntervalMillis", Value: 500},
		}},
	}}}, nil)
	if err != nil {
		return err
	}
	return s.settle()
}

// createUser makes the one user. The server lets a client on its own machine do that, and nothing else.
func (s *Set) createUser() error {
	primary, err := s.primary()
	if err != nil {
		return err
	}
	command := bson.D{{Key: "createUser", Value: User}, {Key: "pwd", Value: Password}, {Key: "roles", Value: bson.A{"root"}}}
	if !s.opts.Standalone { // every node must know the user before a client comes, and still after a Kill
		command = append(command, bson.E{Key: "writeConcern", Value: bson.D{{Key: "w", Value: len(s.nodes)}, {Key: "j", Value: true}}})
	}
	if err := s.nodes[primary].admin(command, nil); err != nil {
		return fmt.Errorf("create the user: %w", err)
	}
	return nil
}

func (s *Set) primary() (int, error) {
	primary := -1
	err := poll(func() error {
		elected := bson.ObjectID{}
		for i, n := range s.nodes {
			if !n.answers() {
				continue
			}
			h, err := n.hello()
			if err == nil && h.Primary && (primary < 0 || h.ElectionID.Hex() > elected.Hex()) {
				primary, elected = i, h.ElectionID
			}
		}
		if primary < 0 {
			return errors.New("no node is primary")
		}
		return nil
	})
	return primary, err
}

func (s *Set) settle() error {
	var goal bson.Timestamp // the last write that the primary had, when there was one
	return poll(func() error {
		primary, running := "", 0
		compared, behind := !goal.IsZero(), ""
		for _, n := range s.nodes {
			if !n.answers() {
				continue
			}
			running++
			h, err := n.hello()
			switch {
			case err != nil:
				return err
			case h.Primary && primary == "":
				primary = n.address
				if !compared {
					goal = h.LastWrite.OpTime.TS
				}
			case !h.Secondary:
				return fmt.Errorf("node %s is not in service", n.address)
			case h.LastWrite.OpTime.TS.Before(goal):
				behind = n.address
			}
		}
		switch {
		case primary == "":
			return fmt.Errorf("none of %d nodes is primary", running)
		case running > 1 && (!compared || behind != ""):
			return fmt.Errorf("nodes have not caught up: %s", behind)
		}
		return nil
	})
}

// close ends all nodes at once, frozen ones too, and removes their folders.
func (s *Set) close() error {
	var errs []error
	for _, n := range s.nodes {
		if n.process != nil {
			errs = append(errs, n.process.end((*os.Process).Kill))
		}
		if n.client != nil {
			errs = append(errs, disconnect(n.client))
		}
	}
	return errors.Join(append(errs, os.RemoveAll(s.folder))...)
}

// directClient returns a client of one node, which need not run yet.
func (s *Set) directClient(address string) (*mongo.Client, error) {
	uri := "mongodb://" + address + "/?directConnection=true"
	if s.opts.TLS {
		uri += "&tls=true&tlsCAFile=" + filepath.ToSlash(s.authorityFile())
	}
	return mongo.Connect(options.Client().ApplyURI(uri).SetServerSelectionTimeout(time.Second).SetConnectTimeout(time.Second).
		SetHeartbeatInterval(500 * time.Millisecond))
}

func (n *node) answers() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.process != nil && !n.frozen
}

func (n *node) end(t testing.TB, how func(*os.Process) error) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.process == nil {
		t.Fatalf("node %s does not run", n.address)
	}
	if err := n.process.end(how); err != nil {
		t.Fatalf("end node %s: %v", n.address, err)
	}
	n.process, n.frozen = nil, false
}

func (n *node) setFrozen(t testing.TB, frozen bool) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.process == nil {
		t.Fatalf("node %s does not run", n.address)
	}
	err := setFrozen(n.process.os, frozen)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("a process cannot be frozen on this system")
	}
	if err != nil {
		t.Fatalf("node %s: %v", n.address, err)
	}
	n.frozen = frozen
}

// hello is what a node says of itself, to anybody.
type hello struct {
	Primary    bool          `bson:"isWritablePrimary"`
	Secondary  bool          `bson:"secondary"`
	ElectionID bson.ObjectID `bson:"electionId"` // grows with each election
	LastWrite  struct {
		OpTime struct {
			TS bson.Timestamp `bson:"ts"`
		} `bson:"opTime"`
	} `bson:"lastWrite"`
}

func (n *node) hello() (hello, error) {
	var h hello
	err := n.admin(bson.D{{Key: "hello", Value: 1}}, &h)
	return h, err
}

// admin runs a command on this node and decodes the answer into result, if not nil.
func (n *node) admin(command bson.D, result any) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	answer := n.client.Database("admin").RunCommand(ctx, command)
	if result == nil {
		return answer.Err()
	}
	return answer.Decode(result)
}

// freeAddresses returns different loopback addresses on which nobody listens now.
func freeAddresses(count int) ([]string, error) {
	var addresses []string
	for range count {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // not before all are chosen
		addresses = append(addresses, l.Addr().String())
	}
	return addresses, nil
}

// finalError ends a poll early.
type finalError struct{ error }

func (e finalError) Unwrap() error { return e.error }

// final makes an error that poll does not try to outwait, nil for nil.
func final(err error) error {
	if err == nil {
		return nil
	}
	return finalError{err}
}

// poll calls ok until it returns nil or a final error, or patience is over: then it returns the last error.
func poll(ok func() error) error {
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		err := ok()
		if end := (finalError{}); errors.As(err, &end) {
			return end.error
		}
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("waited %v: %w", patience, err)
		}
	}
}

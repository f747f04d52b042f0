package store

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestFileCrash kills a process that appends and erases, ten times, at a random moment: what it had said was stored is
// there, once, with its content, and what it had said was erased is gone.
func TestFileCrash(t *testing.T) {
	waits(t)
	if folder := os.Getenv("SIPAS_TEST_CRASH_FOLDER"); folder != "" {
		crashChild(t, folder)
		return
	}
	folder := t.TempDir()
	stored, erased := map[int]bool{}, map[int]bool{}
	for round := range ciOr(t, 10, 3) {
		from := round * 1_000_000
		acked := runAndKill(t, folder, from, time.Duration(20+rand.IntN(400))*time.Millisecond)
		for _, line := range acked {
			kind, number, _ := strings.Cut(line, " ")
			n, err := strconv.Atoi(number)
			if err != nil {
				t.Fatalf("child says %q", line)
			}
			if kind == "erased" {
				delete(stored, n)
				erased[n] = true
			} else if !erased[n] {
				stored[n] = true
			}
		}
		f, err := OpenFile(folder, FileOptions{})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		checkAfterCrash(t, f, stored, erased)
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		t.Logf("round %d: %d acknowledgements, %d stored and %d erased so far", round, len(acked), len(stored), len(erased))
	}
	f := openTest(t, folder) // after a proper end too
	checkAfterCrash(t, f, stored, erased)
}

func checkAfterCrash(t *testing.T, f *File, stored, erased map[int]bool) {
	t.Helper()
	seen := map[ID]int{}
	for _, e := range scanAll(t, f, 0) {
		seen[e.ID]++
	}
	w := watch(t, f)
	w.read()
	w.want(f)
	stones := map[ID]bool{}
	for after := (ID{}); ; {
		page, err := f.Tombstones(t.Context(), testLog, after, 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, id := range page {
			stones[id] = true
			after = id
		}
	}
	for n := range stored {
		want := testEntry(n)
		if doomed(n) && stones[want.ID] {
			continue // its erasure was under way, and need not have been acknowledged
		}
		if seen[want.ID] != 1 {
			t.Fatalf("acknowledged entry %d is there %d times", n, seen[want.ID])
		}
		if !sameEntry(w.live[want.ID], want) {
			t.Fatalf("acknowledged entry %d has other content", n)
		}
		if n%50 == 0 {
			if got, err := f.FindReceipt(t.Context(), testLog, want.Receipt); err != nil || !sameEntry(got, want) {
				t.Fatalf("acknowledged entry %d is not found by its receipt: %v", n, err)
			}
		}
	}
	for n := range erased {
		if seen[testEntry(n).ID] != 0 || !stones[testEntry(n).ID] {
			t.Fatalf("erased entry %d is back", n)
		}
	}
	live, gone, err := f.Count(t.Context(), testLog)
	if err != nil || int(live) != len(seen) || int(gone) != len(stones) {
		t.Fatalf("Count: %d live, %d erased, %v; found %d and %d", live, gone, err, len(seen), len(stones))
	}
}

// runAndKill starts the child, kills it after its first acknowledgement and a while, and returns what it printed.
func runAndKill(t *testing.T, folder string, from int, after time.Duration) []string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestFileCrash$", "-test.count=1")
	cmd.Env = append(os.Environ(), "SIPAS_TEST_CRASH_FOLDER="+folder, "SIPAS_TEST_CRASH_FROM="+strconv.Itoa(from))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var lines []string
	var killed atomic.Bool
	in := bufio.NewReader(out)
	for {
		line, err := in.ReadString('\n')
		if err == io.EOF {
			break // a line cut off by the kill was not an acknowledgement yet
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(lines) == 0 {
			time.AfterFunc(after, func() {
				killed.Store(true)
				_ = cmd.Process.Kill()
			})
		}
		lines = append(lines, strings.TrimSpace(line))
	}
	_ = cmd.Wait()
	if !killed.Load() {
		t.Fatalf("the child ended by itself: %v", cmd.ProcessState)
	}
	return lines
}

// doomed tells which entries the child erases again.
func doomed(n int) bool { return n%1_000_000/32%7 == 1 }

// crashChild appends until it is killed. It moves the journal all the time, so that the kill also meets that.
func crashChild(t *testing.T, folder string) {
	from, err := strconv.Atoi(os.Getenv("SIPAS_TEST_CRASH_FROM"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := OpenFile(folder, FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var out sync.Mutex
	say := func(kind string, n int) {
		out.Lock()
		defer out.Unlock()
		fmt.Println(kind, n)
	}
	go func() {
		for {
			if err := f.flush(t.Context()); err != nil {
				panic(err)
			}
		}
	}()
	for w := range 32 {
		go func() {
			for i := 0; ; i++ {
				n := from + i*32 + w
				got, err := f.Append(t.Context(), testLog, []Entry{testEntry(n)})
				if err != nil || got[0] != Stored {
					panic(fmt.Sprint(got, err, hex.EncodeToString(testEntry(n).Digest)))
				}
				say("stored", n)
				if old := n - 32*3; i >= 3 && doomed(old) {
					if err := f.Erase(t.Context(), testLog, testEntry(old).ID); err != nil {
						panic(err)
					}
					say("erased", old)
				}
			}
		}()
	}
	select {}
}

package survey

import (
	"reflect"
	"testing"
	"time"
)

// outsideDigest are the fields of a Response of which a resend may tell something else, and why. Every other field is
// part of what the client said: an answer that differs in it is another one.
var outsideDigest = map[string]string{
	"ID":       "the digest is compared under it",
	"Unit":     "follows from the desk and the day",
	"Language": "of the page, not of the answers",
	"Channel":  "set by the door, so that an export of a tablet is no conflict with what it sent",
	"Door":     "as the channel",
	"Answered": "may be repaired",
	"Received": "of a resend another one",
	"Flags":    "follow from the rest, and from times",
	"Digest":   "itself",
}

// another returns the value with something else in it; for what it does not know the test fails, so that a new field
// says whether it is part of the digest.
func another(t *testing.T, name string, v reflect.Value) reflect.Value {
	t.Helper()
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	switch v.Kind() {
	case reflect.String:
		out.SetString(v.String() + "x")
	case reflect.Int, reflect.Int32, reflect.Int64:
		out.SetInt(v.Int() + 1)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		out.SetUint(v.Uint() + 1)
	case reflect.Float64:
		out.SetFloat(v.Float() * (1 + 1e-12))
	case reflect.Bool:
		out.SetBool(!v.Bool())
	case reflect.Slice: // of bytes
		out.SetBytes(append([]byte{1}, v.Bytes()...))
	case reflect.Array:
		out.Index(0).SetUint(v.Index(0).Uint() ^ 1)
	case reflect.Map:
		out.Set(reflect.ValueOf(Profile{"age": "other"}))
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			out.Set(reflect.ValueOf(v.Interface().(time.Time).Add(time.Hour)))
			break
		}
		fallthrough
	default:
		t.Fatalf("%s is of a kind that this test does not vary", name)
	}
	return out
}

// TestDigestOfEveryField varies every field of an answer, and of its draw: the digest changes with each that the client
// said, and with no other.
func TestDigestOfEveryField(t *testing.T) {
	id, err := ParseID(goodSubmission(t).ID)
	if err != nil {
		t.Fatal(err)
	}
	whole := func() *Response {
		return &Response{ID: id, Round: "r", Instrument: "i", Version: 1, Desk: "d", Unit: "u", Field: "f", Filing: "online", Answers: "54", Module: "a",
			Profile: Profile{"age": "25-34"}, Helped: "alone", Comment: "c", Language: "vi", Channel: ChannelQR, Door: DoorOpen, Answered: noon, Received: noon,
			Flags: FlagClock, Draw: &Draw{"s", "p", 2}, Receipt: []byte("hash")}
	}
	digest := func(r *Response) string {
		Seal(r, []byte("d"))
		return string(r.Digest)
	}
	want := digest(whole())
	check := func(name string, r *Response) {
		t.Helper()
		reason, outside := outsideDigest[name]
		if changed := digest(r) != want; changed == outside {
			t.Errorf("%s: changes the digest: %t (%s)", name, changed, reason)
		}
	}
	fields := reflect.TypeFor[Response]()
	for i := range fields.NumField() {
		name := fields.Field(i).Name
		r := whole()
		field := reflect.ValueOf(r).Elem().Field(i)
		if name != "Draw" {
			field.Set(another(t, name, field))
			check(name, r)
			field.SetZero()
			check(name, r)
			continue
		}
		r.Draw = nil
		check(name, r)
		for k := range field.Type().Elem().NumField() {
			r := whole()
			part := reflect.ValueOf(r.Draw).Elem().Field(k)
			part.Set(another(t, "Draw", part))
			check("Draw."+reflect.TypeFor[Draw]().Field(k).Name, r)
		}
	}
	for name := range outsideDigest {
		if _, there := fields.FieldByName(name); !there {
			t.Errorf("there is no field %s", name)
		}
	}
	// Parts do not run into each other, and a profile has one order.
	a, b := whole(), whole()
	a.Field, a.Filing, b.Field, b.Filing = "ab", "c", "a", "bc"
	if digest(a) == digest(b) {
		t.Error("field and filing run into each other")
	}
	if a.Profile, b = (Profile{"age": "x", "gender": "y"}), whole(); digest(a) != func() string {
		b.Field, b.Filing, b.Profile = "ab", "c", Profile{"gender": "y", "age": "x"}
		return digest(b)
	}() {
		t.Error("a profile in another order is other content")
	}
}

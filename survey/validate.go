package survey

import (
	"errors"
	"reflect"
	"regexp"
	"strings"
	"sync"

	"github.com/go-playground/validator/v10"
)

var (
	codePattern   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	deskPattern   = regexp.MustCompile(`^[A-Z0-9][A-Z0-9._-]{1,39}$`)
	optionPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.+_-]{0,63}$`)
)

// validate is the one cached validator: building it is slow, using it is not.
var validate = sync.OnceValue(func() *validator.Validate {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterTagNameFunc(func(f reflect.StructField) string {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		return name
	})
	match := func(p *regexp.Regexp) validator.Func {
		return func(fl validator.FieldLevel) bool { return p.MatchString(fl.Field().String()) }
	}
	rules := map[string]validator.Func{
		"code":   match(codePattern),
		"desk":   match(deskPattern),
		"option": match(optionPattern),
		"text": func(fl validator.FieldLevel) bool {
			t, ok := fl.Field().Interface().(Text)
			if !ok || t[Vietnamese] == "" || t[English] == "" {
				return false
			}
			for lang, s := range t {
				if len(lang) > 20 || len(s) > 2000 {
					return false
				}
			}
			return true
		},
	}
	for tag, rule := range rules {
		if err := v.RegisterValidation(tag, rule); err != nil {
			panic(err) // the tags are constants: this cannot depend on input
		}
	}
	return v
})

// checkTags runs the validator over a struct and returns what it found under
// the JSON names of the fields.
func checkTags(x any) *problems {
	var p problems
	var found validator.ValidationErrors
	if err := validate().Struct(x); errors.As(err, &found) {
		for _, f := range found {
			_, path, _ := strings.Cut(f.Namespace(), ".")
			switch f.Tag() {
			case "required":
				p.add(path, CodeRequired)
			case "max":
				p.add(path, CodeTooLong, "max ", f.Param())
			case "text":
				p.add(path, CodeInvalid, "it needs vi and en, each of at most 2000 bytes")
			default:
				p.add(path, CodeInvalid, strings.TrimSpace(f.Tag()+" "+f.Param()))
			}
		}
	}
	return &p
}

// nest adds the fields of err under a prefix.
func (p *problems) nest(prefix string, err error) {
	var e *Error
	if errors.As(err, &e) {
		for _, f := range e.Fields {
			p.add(prefix+"."+f.Field, f.Code, f.Detail)
		}
	}
}

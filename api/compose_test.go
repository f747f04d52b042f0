package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"gopkg.in/yaml.v3"
)

// No container engine runs here, so the file is read: it must parse, keep to
// what it promises, and name only settings that exist.
func TestCompose(t *testing.T) {
	raw, err := os.ReadFile("../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	var compose struct {
		Services map[string]struct {
			Image      string
			Entrypoint []string
			Build      struct {
				Inline string `yaml:"dockerfile_inline"`
			}
			User        string
			ReadOnly    bool `yaml:"read_only"`
			Environment map[string]string
			Ports       []string
			Volumes     []string
			Healthcheck struct{ Test []string }
			DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
		}
		Volumes map[string]any
	}
	if err := yaml.Unmarshal(raw, &compose); err != nil {
		t.Fatal(err)
	}
	app, err := kong.New(&cli{})
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, flag := range settings(app.Model) {
		known[flag.Envs[0]] = true
	}
	if !known["SIPAS_PUBLIC_URL"] || !known["SIPAS_MONGODB_URI"] {
		t.Fatalf("the configuration lacks its variables: %v", known)
	}
	for _, name := range regexp.MustCompile(`\bSIPAS_[A-Z_]+`).FindAllString(string(raw), -1) {
		if !known[name] {
			t.Errorf("%s is no setting of the program", name)
		}
	}
	service, database := compose.Services["sipas"], compose.Services["mongodb"]
	if !service.ReadOnly || service.User == "" || strings.HasPrefix(service.User, "0") {
		t.Errorf("the service must run read-only and not as root: user %q", service.User)
	}
	if !strings.Contains(service.Build.Inline, "./api") || !strings.Contains(service.Build.Inline, "CGO_ENABLED=0") {
		t.Error("the image is not built from this tree without cgo")
	}
	if test := strings.Join(service.Healthcheck.Test, " "); test != "CMD /sipas health" {
		t.Errorf("health check %q: it must go through the binary", test)
	}
	if service.DependsOn["mongodb"].Condition != "service_healthy" || len(database.Healthcheck.Test) == 0 {
		t.Error("the service must wait for a healthy database")
	}
	if uri := service.Environment["SIPAS_MONGODB_URI"]; !strings.HasPrefix(uri, "mongodb://sipas:${MONGO_SIPAS_PASSWORD}@") {
		t.Errorf("the service must not be the administrator of the database: %s", uri)
	}
	for name, value := range service.Environment {
		if strings.Contains(value, "ROOT") || strings.Contains(value, "MONGO_KEY") {
			t.Errorf("the service must not know what %s says: %s", name, value)
		}
	}
	start := strings.Join(database.Entrypoint, " ")
	for _, want := range []string{"roles: [{role: 'readWrite', db: 'sipas'}]", "--replSet rs0", "--keyFile", "--oplogSize 64", "chmod 400"} {
		if !strings.Contains(start, want) {
			t.Errorf("the database does not start with %q", want)
		}
	}
	if test := strings.Join(database.Healthcheck.Test, " "); !strings.Contains(test, "e.codeName === 'NotYetInitialized' && process.env.MONGO_JOINS !== 'yes'") {
		t.Error("a member that is to join a set, or whose state is unknown, must not begin one of its own")
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`\$\{([A-Z_]+)(:\?)?`).FindAllStringSubmatch(string(raw), -1) {
		if required := m[2] != ""; required && !strings.Contains(string(raw), "#   "+m[1]+"=") {
			t.Errorf("the first lines do not say how to make %s", m[1])
		}
		if !strings.Contains(string(readme), "| `"+m[1]+"` |") {
			t.Errorf("README.md does not say what %s is", m[1])
		}
	}
	for _, port := range service.Ports {
		if !strings.HasPrefix(port, "127.0.0.1:") {
			t.Errorf("port %s is open to the network without TLS", port)
		}
	}
	if len(database.Ports) > 0 {
		t.Error("the database must not be reachable from outside")
	}
	for _, v := range database.Volumes {
		if name, _, _ := strings.Cut(v, ":"); compose.Volumes[name] != nil || !has(compose.Volumes, name) {
			t.Errorf("volume %s is not declared", name)
		}
	}
}

func has(m map[string]any, key string) bool {
	_, ok := m[key]
	return ok
}

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
			Image string
			Build struct {
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
	for _, name := range regexp.MustCompile(`SIPAS_[A-Z_]+`).FindAllString(string(raw), -1) {
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

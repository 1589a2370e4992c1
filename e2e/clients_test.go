package e2e

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pantryhub/pantry/internal/store/storetest"
)

// An arm is one column of the matrix.
type arm struct {
	name  string
	flags func(*testing.T) []string // database and bucket of the server
	xet   bool
}

var arms = []arm{
	{"sqlite/xet", embedded, true},
	{"sqlite/lfs", embedded, false},
	{"postgres/xet", outgrown, true},
	{"postgres/lfs", outgrown, false},
}

// embedded is the default: SQLite and a folder.
func embedded(*testing.T) []string { return nil }

// outgrown is PostgreSQL and an S3 store.
func outgrown(t *testing.T) []string {
	return []string{"--database", storetest.PostgresURL(t), "--bucket", s3URL(t)}
}

// s3URL is a fresh prefix in the S3 store that PANTRY_TEST_S3 names.
func s3URL(t *testing.T) string {
	server := os.Getenv("PANTRY_TEST_S3")
	if server == "" {
		require(t, "PANTRY_TEST_S3 is not set (script/with-services starts a server)")
	}
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	var b [6]byte
	rand.Read(b[:])
	u.Path = strings.TrimSuffix(u.Path, "/") + "/e2e-" + hex.EncodeToString(b[:])
	return u.String()
}

// TestClients runs both suites in every arm, then holds what they showed
// against docs/compatibility.md.
func TestClients(t *testing.T) {
	tools := clients(t)
	var results []result
	complete := true
	for _, arm := range arms {
		ok := t.Run(arm.name, func(t *testing.T) {
			h := startHub(t, arm.flags(t)...)
			t.Run("python", func(t *testing.T) { results = append(results, runPython(t, tools, h, arm)...) })
			t.Run("js", func(t *testing.T) { results = append(results, runJS(t, tools, h, arm)...) })
		})
		complete = complete && ok
	}
	t.Run("compatibility", func(t *testing.T) {
		if len(results) == 0 || !complete && !*update {
			t.Skip("the suites did not all pass")
		}
		checkCompatibility(t, tools, results)
	})
}

// A result is what one test of a suite says about the rows that it backs.
type result struct {
	Test   string   `json:"test"`   // python/test_repos.py::test_create
	Rows   []string `json:"rows"`   // HfApi.create_repo
	Claim  string   `json:"claim"`  // works, partial or missing
	Note   string   `json:"note"`   // what a partial or missing row lacks
	Passed bool     `json:"passed"` // failed tests back nothing
}

// runPython runs the Python suite; alice is signed in.
func runPython(t *testing.T, tools string, h *hub, arm arm) []result {
	report := filepath.Join(t.TempDir(), "report.json")
	cmd := exec.Command(filepath.Join(tools, "venv", "bin", "python"), "-m", "pytest",
		"-q", "--no-header", "-p", "no:cacheprovider", "--tb=short", "--durations=5",
		"--hub="+h.describe(t), "--report="+report, filepath.Join(rootDir, "e2e", "python"))
	cmd.Dir = filepath.Join(rootDir, "e2e", "python")
	cmd.Env = clientEnv(t, tools, h, arm)
	return runSuite(t, cmd, report)
}

// runJS runs the JavaScript suite.
func runJS(t *testing.T, tools string, h *hub, arm arm) []result {
	report := filepath.Join(t.TempDir(), "report.json")
	suites, err := filepath.Glob(filepath.Join(rootDir, "e2e", "js", "*.test.mjs"))
	if err != nil || len(suites) == 0 {
		t.Fatalf("no JavaScript suites: %v", err)
	}
	js := filepath.Join(rootDir, "e2e", "js")
	cmd := exec.Command("node", append([]string{"--test",
		"--test-reporter", "spec", "--test-reporter-destination", "stdout",
		"--test-reporter", filepath.Join(js, "report.mjs"), "--test-reporter-destination", report}, suites...)...)
	cmd.Env = append(clientEnv(t, tools, h, arm),
		"HUB_FILE="+h.describe(t),
		"HUB_CLIENT="+filepath.Join(tools, "node", "node_modules", "@huggingface", "hub", "dist", "index.mjs"))
	return runSuite(t, cmd, report)
}

// clientEnv is all that a client process knows: where the hub is, an empty
// home, alice's token, and in one arm that Xet is off.
func clientEnv(t *testing.T, tools string, h *hub, arm arm) []string {
	home := t.TempDir()
	env := []string{
		"PATH=" + filepath.Join(tools, "venv", "bin") + string(os.PathListSeparator) + os.Getenv("PATH"),
		"HOME=" + home,
		"LANG=C.UTF-8",
		"PYTHONDONTWRITEBYTECODE=1",
		"HF_ENDPOINT=" + h.URL,
		"HF_HOME=" + filepath.Join(home, "hf"),
		"HF_TOKEN=" + h.Users["alice"].Token,
	}
	if !arm.xet {
		env = append(env, "HF_HUB_DISABLE_XET=1")
	}
	return env
}

// runSuite runs a suite to its end and reads its report.
func runSuite(t *testing.T, cmd *exec.Cmd, report string) []result {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	} else {
		t.Logf("%s", out)
	}
	b, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	var results []result
	if err := json.Unmarshal(b, &results); err != nil {
		t.Fatalf("read report: %v", err)
	}
	return results
}

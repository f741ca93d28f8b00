package app

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"sightline/relay/internal/config"
)

// envPrefix begins the name of every setting in the environment.
const envPrefix = "SIGHTLINE"

// BeforeResolve reads the configuration file, where one is named, and puts it under flags and environment.
func (c *serve) BeforeResolve(k *kong.Kong, ctx *kong.Context) error {
	flags := ctx.Selected().Flags // of serve, or of doctor, which has the same and more
	name, _ := ctx.FlagValue(flagNamed(flags, "config")).(string)
	if name == "" {
		return nil
	}
	var names []string
	for _, f := range settings(k) {
		if f.Name != "config" && f.Name != "help" {
			names = append(names, f.Name)
		}
	}
	file, err := config.Read(name, names, sectionNames())
	if err != nil {
		return err
	}
	if err := checkValues(file); err != nil {
		return err
	}
	if c.sections, err = readSections(file); err != nil {
		return err
	}
	given := map[string]bool{}
	for _, p := range ctx.Path {
		if p.Flag != nil {
			given[p.Flag.Name] = true
		}
	}
	overridden := func(setting string) bool {
		f := flagNamed(flags, setting)
		return given[setting] || f != nil && inEnvironment(f)
	}
	c.place = func(err error) error { return file.Locate(err, overridden) }
	ctx.AddResolver(kong.ResolverFunc(func(_ *kong.Context, parent *kong.Path, f *kong.Flag) (any, error) {
		text, ok := file.Get(f.Name)
		if !ok || f.Name == "help" || inEnvironment(f) {
			return nil, nil
		}
		return text, nil
	}))
	return nil
}

// settings are the flags of serve.
func settings(k *kong.Kong) []*kong.Flag {
	for _, n := range k.Model.Children {
		if n.Name == "serve" {
			return n.Flags
		}
	}
	return nil
}

func flagNamed(flags []*kong.Flag, name string) *kong.Flag {
	if i := slices.IndexFunc(flags, func(f *kong.Flag) bool { return f.Name == name }); i >= 0 {
		return flags[i]
	}
	return nil
}

func inEnvironment(f *kong.Flag) bool {
	return slices.ContainsFunc(f.Envs, func(name string) bool { _, ok := os.LookupEnv(name); return ok })
}

// checkValues tries each value of a file as the command line would take it, so that the error can name its line.
func checkValues(file *config.File) error {
	var scratch struct {
		Serve settingsOnly `cmd:""`
	}
	k, err := kong.New(&scratch, kong.Writers(io.Discard, io.Discard), kong.Exit(func(int) {}))
	if err != nil {
		return err
	}
	for _, name := range file.Names() {
		text, _ := file.Get(name)
		if _, err := k.Parse([]string{"serve", "--data=.", "--" + name + "=" + text}); err != nil {
			return fmt.Errorf("%s: %w", file.Place(name), err)
		}
	}
	return nil
}

// settingsOnly has serve's flags without its hook.
type settingsOnly serve

// printExample writes a configuration file with every setting, commented out where the default will do.
func printExample(k *kong.Kong, w io.Writer) error {
	var b strings.Builder
	b.WriteString("# Configuration of a Sightline relay: relay serve --config FILE\n#\n" +
		"# Every setting can also be given as a flag (--tls-cert) or in the environment (" + envPrefix + "_TLS_CERT);\n" +
		"# a flag goes before the environment, and that before this file. Values that are commented out are the defaults, or show the form.\n")
	for _, f := range settings(k) {
		if f.Name == "config" || f.Name == "help" {
			continue
		}
		fmt.Fprintf(&b, "\n# %s\n", f.Help)
		switch {
		case f.Name == "data":
			b.WriteString("data: /var/lib/sightline\n")
		case f.HasDefault:
			fmt.Fprintf(&b, "#%s: %s\n", f.Name, f.Default)
		case f.IsBool():
			fmt.Fprintf(&b, "#%s: false\n", f.Name)
		case f.PlaceHolder != "":
			fmt.Fprintf(&b, "#%s: %s\n", f.Name, f.PlaceHolder)
		default:
			fmt.Fprintf(&b, "#%s:\n", f.Name)
		}
	}
	b.WriteString(sectionsExample)
	_, err := io.WriteString(w, b.String())
	return err
}

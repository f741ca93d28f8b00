// The sound libraries write to the terminal what they try and do not find, at the start of every program that can
// hear, on machines without a sound card. What matters comes back as an error; the rest is silenced here, before
// the microphone's driver looks for devices, which it does when it is loaded.

#include <dlfcn.h>
#include <stddef.h>

static void no_alsa(const char *file, int line, const char *function, int err, const char *format, ...) {
  (void)file, (void)line, (void)function, (void)err, (void)format;
}

static void no_jack(const char *text) { (void)text; }

static void *find(const char *library, const char *name) {
  void *l = dlopen(library, RTLD_NOW);
  return l ? dlsym(l, name) : NULL;
}

__attribute__((constructor)) static void be_quiet(void) {
  typedef void (*alsa_handler)(const char *, int, const char *, int, const char *, ...);
  typedef void (*jack_handler)(const char *);
  int (*alsa)(alsa_handler) = (int (*)(alsa_handler))find("libasound.so.2", "snd_lib_error_set_handler");
  if (alsa) alsa(no_alsa);
  const char *jack[] = {"jack_set_error_function", "jack_set_info_function"};
  for (size_t i = 0; i < sizeof jack / sizeof *jack; i++) {
    void (*set)(jack_handler) = (void (*)(jack_handler))find("libjack.so.0", jack[i]);
    if (set) set(no_jack);
  }
}

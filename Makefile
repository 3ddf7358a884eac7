# signet's one Makefile: no configure, no recursion into folders, no generated build system.
# Targets: all, deps, deps-test, demo, check, check-asan, check-tsan, bench, fuzz, lint, install, clean.

VERSION  := 0.1.0
JOBS     ?= $(shell nproc 2>/dev/null || echo 2)
MODULES  := ui mail crypto keyring
PKGS_BASE    := glib-2.0 gio-2.0
PKGS_ui      := ncursesw json-glib-1.0
PKGS_mail    := zlib libetpan gmime-3.0 sqlite3 inih gumbo libcurl ldap
PKGS_crypto  := nss zlib
PKGS_keyring := libsecret-1
PKGS     := $(PKGS_BASE) $(foreach m,$(MODULES),$(PKGS_$m))

PREFIX   ?= /usr/local
SYSCONFDIR ?= /etc
CFLAGS   ?= -O2 -g
comma    := ,
WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Wformat=2 \
            -Wvla -Wundef -Wno-unused-parameter -Werror=implicit -Werror=return-type \
            -Werror=incompatible-pointer-types -Werror=int-conversion
HARDEN   := -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
LINKHARD := -pie -Wl,-z,relro,-z,now -Wl,--as-needed
# The dynamic linker asks the libraries in this order: those first that have the most of what is looked for spare a fifth
# of its work at each start. (A sanitizer's own has to stand before libc.)
LIBFIRST := -lc -lglib-2.0 -lsqlite3 -lnss3 -lnspr4
B        := build
ifeq ($(SAN),address)
# Lines and functions are all that a report names (-g1), and the tests share one library: the debugging data of
# everything, linked into a hundred programs, was what took the longest here.
override CFLAGS := -O1 -g1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
SANLINK  := -fsanitize=address,undefined
HARDEN   := -fPIC
LINKHARD := -Wl,--as-needed
LIBFIRST :=
B        := build-asan
UNITLIB  := $B/libsignet.so
endif
ifeq ($(SAN),thread)
override CFLAGS := -O1 -g -fsanitize=thread
SANLINK  := -fsanitize=thread $(addprefix -Wl$(comma)--wrap=,$(shell grep -o '__real_g_[a-z_]*' tests/unit/tsan-glib.c 2>/dev/null | sort -u | sed s/__real_//))
HARDEN   :=
LINKHARD := -Wl,--as-needed
LIBFIRST :=
B        := build-tsan
TSAN_OBJ := $(if $(wildcard tests/unit/tsan-glib.c),$B/tests/tsan-glib.o)
endif

ifeq ($(SAN),fuzz)
override CC := clang
override CFLAGS := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
SANLINK  := -fsanitize=address,undefined
HARDEN   :=
LINKHARD := -Wl,--as-needed
LIBFIRST :=
B        := build-fuzz
endif

STD      := -std=c11 -D_GNU_SOURCE -DSIGNET_VERSION='"$(VERSION)"' -DSIGNET_SYSCONFDIR='"$(SYSCONFDIR)"' -DGLIB_VERSION_MIN_REQUIRED=GLIB_VERSION_2_74

.DEFAULT_GOAL := all
Q := $(if $(V),,@)
.DELETE_ON_ERROR:

# Who may include whom is compiled in: each folder sees only the folders that its arrows allow (as links
# under $B/see/), and only the libraries that are its own. mail/ cannot even find nss.h or curses.h.
SEE_ui      := ui mail crypto keyring
SEE_mail    := mail crypto
SEE_crypto  := crypto
SEE_keyring := keyring
define module
CFLAGS_$1 := $$(shell pkg-config --cflags $$(PKGS_BASE) $$(PKGS_$1) 2>/dev/null)
$B/see/$1/.made: ; $$(Q)mkdir -p $B/see/$1 && for m in $$(SEE_$1); do ln -sfn ../../../$$$$m $B/see/$1/$$$$m; done && touch $$@
$B/$1/%.o: $1/%.c $B/see/$1/.made | $B/$1
	$$(Q)echo '  CC $$@'; $$(CC) $$(STD) -DG_LOG_DOMAIN='"$1"' $$(WARN) $$(HARDEN) $$(CFLAGS) -I$B/see/$1 $$(CFLAGS_$1) -MMD -MP -c -o $$@ $$<
$B/$1: ; $$(Q)mkdir -p $$@
OBJ_$1 := $$(patsubst %.c,$B/%.o,$$(wildcard $1/*.c))
endef
$(foreach m,$(MODULES),$(eval $(call module,$m)))

# Loaded when they are asked for (keyring/keyring.c, mail/etpan.c, mail/fetch.c, mail/directory-ldap.c), so that a start
# stays quick.
PKGS_LAZY := $(PKGS_keyring) libetpan libcurl ldap
LIBS := $(shell pkg-config --libs $(filter-out $(PKGS_LAZY),$(PKGS)) 2>/dev/null) -ldl
# The file that holds the libetpan whose headers are compiled in.
LIBETPAN = $(shell $(or $(OBJDUMP),objdump) -p "$$(pkg-config --variable=libdir libetpan)/libetpan.so" | sed -n 's/^ *SONAME *//p')
$B/mail/etpan.o: STD += -DSIGNET_LIBETPAN='"$(LIBETPAN)"'
OBJ  := $(foreach m,$(MODULES),$(OBJ_$m))
LIBOBJ := $(filter-out $B/ui/main.o,$(OBJ))

all: $B/signet
$B/signet: $(OBJ) $(TSAN_OBJ)
	$(Q)echo '  LD $@'; $(CC) $(SANLINK) $(LINKHARD) $(LDFLAGS) -o $@ $^ $(LIBFIRST) $(LIBS)

# One archive of everything but main(): a unit test links only what it uses. With SAN=address one shared object.
UNITLIB ?= $B/libsignet.a
$B/libsignet.a: $(LIBOBJ)
	$(Q)rm -f $@ && ar rcs $@ $^
$B/libsignet.so: $(LIBOBJ)
	$(Q)echo '  LD $@'; $(CC) $(SANLINK) -shared -Wl,--as-needed -Wl,-z,defs -Wl,-soname,libsignet.so $(LDFLAGS) -o $@ $^ $(LIBS)
UNITLINK := $(UNITLIB) $(if $(filter %.so,$(UNITLIB)),-Wl$(comma)-rpath$(comma)'$$ORIGIN/..')
UNITFLAGS := -I. $(shell pkg-config --cflags $(PKGS) 2>/dev/null)

UNIT := $(patsubst tests/unit/%.c,$B/tests/%,$(wildcard tests/unit/test-*.c))
$B/tests/%: tests/unit/%.c $(wildcard tests/unit/*.h) $(UNITLIB) $(TSAN_OBJ) | $B/tests
	$(Q)echo '  CC $@'; $(CC) $(STD) $(WARN) $(CFLAGS) $(SANLINK) $(UNITFLAGS) -MMD -MP -MF $@.d -o $@ $< \
	  $(TSAN_OBJ) $(UNITLINK) $(LDFLAGS) $(LIBS)
$B/tests: ; $(Q)mkdir -p $@
$B/tests/tsan-glib.o: tests/unit/tsan-glib.c | $B/tests
	$(CC) -O1 -g $(shell pkg-config --cflags gio-2.0) -c -o $@ $<

# Each harness twice: replayed over its seeds as a test, with a sanitizer, and under libFuzzer by `make fuzz`.
FUZZ   := $(patsubst tests/fuzz/fuzz-%.c,%,$(wildcard tests/fuzz/fuzz-*.c))
REPLAY := $(patsubst %,$B/tests/replay-%,$(FUZZ))
$B/tests/replay-%: tests/fuzz/fuzz-%.c tests/fuzz/replay.c $(UNITLIB) $(TSAN_OBJ) | $B/tests
	$(Q)echo '  CC $@'; $(CC) $(STD) $(WARN) -Wno-missing-prototypes $(CFLAGS) $(SANLINK) $(UNITFLAGS) -o $@ \
	  tests/fuzz/fuzz-$*.c tests/fuzz/replay.c $(TSAN_OBJ) $(UNITLINK) $(LDFLAGS) $(LIBS)
$B/tests/fuzz-%: tests/fuzz/fuzz-%.c $B/libsignet.a | $B/tests
	$(Q)echo '  CC $@'; $(CC) $(STD) $(WARN) -Wno-missing-prototypes $(CFLAGS) -fsanitize=fuzzer,address,undefined $(UNITFLAGS) -o $@ $< $B/libsignet.a $(LDFLAGS) $(LIBS)

unit: $B/signet $(UNIT) $(if $(SAN),$(REPLAY))

deps:
	sh tests/lab/deps.sh run
deps-test:
	sh tests/lab/deps.sh test

demo: deps
	$(MAKE) -j$(JOBS) all
	$B/signet demo

# The whole of it: what CI runs and what the README names. The TAP programs are listed by tests/run.
check: deps deps-test
	$(MAKE) -j$(JOBS) built
	$(MAKE) check-built
# Both beside each other: no processor waits at the end of one for its last and longest file.
built: built-plain built-asan
built-plain:
	$(MAKE) all unit
built-asan:
	$(MAKE) SAN=address all unit
check-built:
	BUILD=$B BUILD_ASAN=build-asan sh tests/run

check-unit: unit
	BUILD=$B prove --exec '' $(UNIT)
check-asan:
	$(MAKE) SAN=address unit
	BUILD=build-asan prove --exec 'sh tests/lab/limited.sh 300' $(patsubst $B/%,build-asan/%,$(UNIT))
check-tsan:
	$(MAKE) SAN=thread unit
	BUILD=build-tsan prove --exec '' $(patsubst $B/%,build-tsan/%,$(UNIT))

FUZZ_SECONDS ?= 60
fuzz:
	$(MAKE) SAN=fuzz fuzz-build
	set -e; for f in $(FUZZ); do mkdir -p build-fuzz/corpus/$$f; \
	  build-fuzz/tests/fuzz-$$f -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
	    -artifact_prefix=build-fuzz/ build-fuzz/corpus/$$f tests/fuzz/seeds/$$f; done
fuzz-build: $(patsubst %,$B/tests/fuzz-%,$(FUZZ))

# Beside its peers, in one run (doc/testing.md). libcrypto is linked by the peer alone.
bench: deps
	sh tests/lab/deps.sh bench
	$(MAKE) -j$(JOBS) bench-build
	code=0; python3 tests/bench/bench.py --build $B || code=1; python3 tests/bench/send.py --build $B || code=1; \
	python3 tests/bench/mail.py --build $B $(if $(SIZES),--sizes "$(SIZES)") $(if $(RUNS),--runs $(RUNS)) || code=1; exit $$code
bench-build: $B/signet $B/bench/peer $B/bench/bare
$B/bench/peer: tests/bench/peer.c
	$(Q)mkdir -p $(@D) && echo '  CC $@'; $(CC) -std=gnu11 $(WARN) $(CFLAGS) -o $@ $< -lcrypto
$B/bench/bare: tests/bench/bare.c $B/libsignet.a
	$(Q)mkdir -p $(@D) && echo '  CC $@'; $(CC) $(STD) $(WARN) $(CFLAGS) $(SANLINK) $(UNITFLAGS) -o $@ $< \
	  $B/libsignet.a $(LDFLAGS) $(LIBS)

lint:
	sh tests/lint.sh

install: all
	install -D -m 755 $B/signet $(DESTDIR)$(PREFIX)/bin/signet
	install -D -m 644 doc/signet.1 $(DESTDIR)$(PREFIX)/share/man/man1/signet.1
	install -D -m 644 doc/signet.conf.5 $(DESTDIR)$(PREFIX)/share/man/man5/signet.conf.5

clean: ; rm -rf build build-asan build-tsan build-fuzz

.PHONY: all unit deps deps-test demo check built built-plain built-asan check-built check-unit check-asan check-tsan bench bench-build fuzz fuzz-build lint install clean
-include $(wildcard $B/*/*.d)

# SPDX-License-Identifier: Apache-2.0
# limpet: one makefile, no recursion. Sources are found by folder; everything made goes to build/.
# `make help` lists the targets.

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules --no-print-directory
SHELL := /bin/sh
ifeq ($(origin CXX),default)
  CXX := g++
endif

# One compiler a core; -jN on the command line wins.
MAKEFLAGS += -j$(shell nproc 2>/dev/null || echo 2)

comma := ,
empty :=
space := $(empty) $(empty)

##@ Settings, given as NAME=VALUE
## SAN=address,undefined  build with these sanitizers (or SAN=thread) into build/address-undefined/ (build/thread/)
SAN ?=
## LTO=0                  without optimising limpetd across files when it is linked
LTO ?= 1
## HARDEN=1               with the standard library's own bounds checks (the SAN builds have them)
HARDEN ?= 0
## WERROR=1               warnings are errors
WERROR ?= 0
## DESTDIR=, PREFIX=      where `make install` puts things (PREFIX default: /usr/local)
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
SECONDS ?= 60

# ---------------------------------------------------------------------------------------------------- modes

MODE := $(if $(SAN),$(subst $(comma),-,$(SAN)),release)
OUT  := $(if $(SAN),build/$(MODE),build)
OBJ  := build/$(MODE)/obj

# Asked when the first file is compiled, not when this file is read: `make run` may install what is asked.
once = $(eval $1 := $2)$($1)
libraries := hiredis libevent_core libcrypto libnghttp2 libssl prometheus-cpp-core libsystemd fmt spdlog libxxhash simdjson
LIB_FLAGS = $(call once,LIB_FLAGS,$(patsubst -I%,-isystem%,$(shell pkg-config --cflags $(libraries))))
LIB_LINKS = $(call once,LIB_LINKS,$(shell pkg-config --libs $(libraries)))
CCACHE = $(call once,CCACHE,$(shell command -v ccache))
IS_CLANG = $(call once,IS_CLANG,$(if $(findstring clang,$(shell $(CXX) --version)),yes))

warnings := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast \
  -Wnon-virtual-dtor -Woverloaded-virtual -Wsuggest-override -Wcast-align -Wformat=2 \
  -Wimplicit-fallthrough -Wmissing-declarations -Wundef -Wextra-semi -Wvla
warnings_of_gcc := -Wduplicated-cond -Wlogical-op
WARNINGS = $(warnings) $(if $(IS_CLANG),-Wno-unknown-warning-option,$(warnings_of_gcc)) \
  $(if $(filter 1,$(WERROR)),-Werror)

# Shadow stacks; no Linux tracks the branches of programs, so those need no marks.
protection := -fstack-protector-strong -fstack-clash-protection \
  $(if $(filter x86_64 i686,$(shell uname -m)),-fcf-protection=return)
# The check of virtual tables needs a descriptor, and reports a fault where the tests have taken all away.
no_vptr := -fno-sanitize=vptr
ifeq ($(SAN),)
  mode_flags := -O2 -g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 $(protection)
  ifeq ($(HARDEN),1)
    mode_flags += -D_GLIBCXX_ASSERTIONS
  endif
  mode_flags += -fno-plt -fno-semantic-interposition
  # Objects hold both forms: limpetd is optimised across files, the tests are linked quickly.
  ifeq ($(LTO),1)
    mode_flags += -flto=auto $(if $(IS_CLANG),,-ffat-lto-objects)
  endif
  mode_links := -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack
else
  mode_flags := -O1 -g -DLIMPET_DEBUG -D_GLIBCXX_ASSERTIONS -fno-omit-frame-pointer \
    -fsanitize=$(SAN) $(if $(findstring undefined,$(SAN)),-fno-sanitize-recover=undefined $(no_vptr))
  mode_links := -fsanitize=$(SAN)
endif

FLAGS = -std=c++20 -I. -fPIE -pthread $(mode_flags) $(LIB_FLAGS) $(WARNINGS) $(CPPFLAGS) $(CXXFLAGS)
LINKS = -pie -pthread $(mode_flags) $(mode_links) -Wl,--as-needed $(LDFLAGS)

# -------------------------------------------------------------------------------------------------- sources

find = $(sort $(shell find $1 -name '$2' -not -path '*/node_modules/*' 2>/dev/null))

all_daemon  := $(call find,daemon,*.cc)
ctl_src     := $(filter daemon/limpetctl/%,$(all_daemon))
daemon_src  := $(filter-out $(ctl_src),$(all_daemon))
base_src    := $(filter daemon/base/%,$(daemon_src))
module_src  := $(call find,modules,*.cc)
unit_src    := $(call find,tests/unit,*.cc) $(call find,tests/support,*.cc)
fuzz_src    := $(call find,tests/fuzz,*_fuzz.cc)
headers     := $(call find,daemon modules tests/support tests/fuzz,*.h)
formatted   := $(headers) $(all_daemon) $(module_src) $(unit_src) $(call find,tests/fuzz tests/bench,*.cc) \
  $(call find,tests/bench,*.h)

object = $(patsubst %.cc,$(OBJ)/%.o,$1)
daemon_objects := $(call object,$(daemon_src) $(module_src))
ctl_objects    := $(call object,$(ctl_src) $(base_src))
unit_objects   := $(call object,$(unit_src)) $(filter-out $(call object,daemon/main.cc),$(daemon_objects)) \
  $(call object,$(filter-out daemon/limpetctl/main.cc,$(ctl_src)))

token_objects  := $(call object,tests/bench/token_bench.cc) $(filter-out $(call object,daemon/main.cc),$(daemon_objects))

programs := $(OUT)/limpetd $(OUT)/limpetctl

##@ Build
.PHONY: all
all: $(programs) ## limpetd and limpetctl

$(OUT)/limpetd: $(daemon_objects)
$(OUT)/limpetctl: $(ctl_objects)
$(OUT)/unit_tests: $(unit_objects)
$(OUT)/token_bench: $(token_objects)

$(OUT)/limpetd $(OUT)/limpetctl $(OUT)/unit_tests $(OUT)/token_bench:
	@mkdir -p $(@D)
	@echo "  link  $@"
	@$(CXX) $(LINKS) $(if $(filter %/limpetd,$@),,-fno-lto) -o $@ $(filter %.o,$^) $(LIB_LINKS)

# Rewritten only when the flags change, so that every object follows them. Errors for warnings make no other object.
flags_file := $(OBJ)/flags
.PHONY: always
$(flags_file): always
	@mkdir -p $(@D)
	@printf '%s\n' '$(CXX) $(filter-out -Werror,$(FLAGS))' > $@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

$(OBJ)/%.o: %.cc $(flags_file)
	@mkdir -p $(@D)
	@echo "  c++   $<"
	@$(CCACHE) $(CXX) $(FLAGS) -MMD -MP -c -o $@ $<

-include $(patsubst %.o,%.d,$(sort $(daemon_objects) $(ctl_objects) $(unit_objects) $(token_objects)))

# What `run` and the tests need is there before anything is compiled.
goals_with_deps := run test unit life e2e bench fuzz
ifneq ($(filter $(goals_with_deps),$(MAKECMDGOALS)),)
  $(flags_file): | deps-present
endif
package_sets := build $(if $(filter test e2e,$(MAKECMDGOALS)),node) \
  $(if $(filter test unit life e2e,$(MAKECMDGOALS)),parties) $(if $(filter fuzz,$(MAKECMDGOALS)),test) \
  $(if $(filter bench,$(MAKECMDGOALS)),bench)

##@ Run
.PHONY: run
run: deps-present all ## a balancer with three sample replicas on http://127.0.0.1:8080
	@$(OUT)/limpetd --demo

##@ Test
test_environment = LIMPETD='$(abspath $(OUT)/limpetd)' LIMPETCTL='$(abspath $(OUT)/limpetctl)' \
  UNIT_TESTS='$(abspath $(OUT)/unit_tests)' $(if $(SAN),LIMPET_TEST_SLOW_FACTOR=4)
suite = @$(test_environment) python3 tests/run.py

.PHONY: test unit life e2e
test: deps-present all $(OUT)/unit_tests $(if $(filter test,$(MAKECMDGOALS)),tests/e2e/node_modules/.package-lock.json) ## every suite; the last line is the total
	$(suite) unit life e2e

unit: deps-present $(OUT)/unit_tests ## unit tests; ONLY='*text*' for the cases of that name
	$(suite) unit

life: deps-present all ## the real daemon among misbehaving parties; ONLY=text for the tests of that name
	$(suite) life

e2e: deps-present $(if $(GATEWAY_URL),,all) tests/e2e/node_modules/.package-lock.json ## real clients and replicas; GATEWAY_URL=http://… tries any gateway
	$(suite) e2e

tests/e2e/node_modules/.package-lock.json: tests/e2e/package-lock.json tests/e2e/package.json | deps-present
	@echo "  npm   tests/e2e"
	@npm ci --prefix tests/e2e --no-audit --no-fund --loglevel=error
	@touch $@

.PHONY: bench
bench: deps-present all ## measure beside haproxy, nginx and nghttpx
	@LIMPETD='$(abspath $(OUT)/limpetd)' python3 tests/bench/run.py all

.PHONY: bench-token
bench-token: deps-present $(OUT)/token_bench ## what sealing and opening a token costs
	@$(OUT)/token_bench

# ------------------------------------------------------------------------------------------------------ fuzz

FUZZ_CXX ?= $(firstword $(shell command -v clang++-14 clang++) clang++-14)
fuzz_obj     := build/fuzz/obj
fuzz_names   := $(patsubst %_fuzz.cc,%,$(notdir $(fuzz_src)))
fuzz_library := $(patsubst %.cc,$(fuzz_obj)/%.o,$(filter-out daemon/main.cc,$(daemon_src)) $(module_src))
# The oracle of the differential fuzzer: another reader of HTTP/1, as sources in a Debian package. It is unpacked here,
# since installing it would bring a Node of Debian's along.
oracle         := build/fuzz/llhttp/usr/share
oracle_objects := $(addprefix $(fuzz_obj)/llhttp/,api.o http.o llhttp.o)
FUZZ_FLAGS = -std=c++20 -I. -isystem $(oracle)/include -pthread -O1 -g -DLIMPET_DEBUG -fno-omit-frame-pointer \
  $(LIB_FLAGS) -fsanitize=address,undefined -fno-sanitize-recover=undefined

.PHONY: fuzz
fuzz: deps-present $(addprefix build/fuzz/,$(addsuffix _fuzz,$(if $(ONLY),$(filter $(ONLY),$(fuzz_names)),$(fuzz_names)))) ## every fuzzer for SECONDS=60; ONLY=name for one of them
	@SECONDS_EACH='$(SECONDS)' ONLY='$(ONLY)' tests/fuzz.sh $(fuzz_names)

$(fuzz_obj)/%.o: %.cc | $(flags_file)
	@mkdir -p $(@D)
	@echo "  fuzz  $<"
	@$(CCACHE) $(FUZZ_CXX) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<

build/fuzz/%_fuzz: $(fuzz_obj)/tests/fuzz/%_fuzz.o $(fuzz_library)
	@echo "  link  $@"
	@$(FUZZ_CXX) $(FUZZ_FLAGS) -fsanitize=fuzzer -Wl,--as-needed -o $@ $^ $(LIB_LINKS)

build/fuzz/http1_differential_fuzz: $(oracle_objects)
$(fuzz_obj)/tests/fuzz/http1_differential_fuzz.o $(oracle_objects): | $(oracle)/llhttp/llhttp.c

$(fuzz_obj)/llhttp/%.o:
	@mkdir -p $(@D)
	@$(FUZZ_CXX) -x c -isystem $(oracle)/include -I$(oracle)/include/llhttp -O1 -g -fsanitize=address -c -o $@ $(oracle)/llhttp/$*.c

$(oracle)/llhttp/llhttp.c: | deps-present
	@mkdir -p build/fuzz/llhttp
	@echo "  deb   node-llhttp"
	@cd build/fuzz && apt-get download -qq node-llhttp 2>download.log || { cat download.log; exit 1; }
	@cd build/fuzz && dpkg -x node-llhttp_*.deb llhttp && rm -f node-llhttp_*.deb download.log

ifneq ($(filter fuzz,$(MAKECMDGOALS)),)
-include $(patsubst %.o,%.d,$(fuzz_library)) $(patsubst %.cc,$(fuzz_obj)/%.d,$(fuzz_src))
endif
.SECONDARY:

##@ Check
.PHONY: checks rooms headers
checks: rooms headers format-check ## the next three

rooms: ## layers, library homes, budgets, words; prints the figures
	@python3 tests/check/rooms.py
	@python3 tests/check/prose.py

headers: $(patsubst %,build/headers/%.ok,$(headers)) ## every header compiles alone
	@echo "headers: $(words $^) compile alone"

build/headers/%.ok: %
	@mkdir -p $(@D)
	@$(CXX) -std=c++20 -I. $(LIB_FLAGS) $(WARNINGS) -fsyntax-only -include $< -MMD -MP -MF $(@:.ok=.d) -MT $@ -x c++ /dev/null
	@touch $@

ifneq ($(filter headers checks,$(MAKECMDGOALS)),)
-include $(patsubst %,build/headers/%.d,$(headers))
endif

CLANG_FORMAT ?= $(firstword $(shell command -v clang-format-14 clang-format) clang-format-14)
CLANG_TIDY   ?= $(firstword $(shell command -v clang-tidy-14 clang-tidy) clang-tidy-14)

.PHONY: format format-check tidy
format: ## rewrite all C++ files in the house format
	@$(CLANG_FORMAT) -i $(formatted)

format-check: ## fail where `make format` would change something
	@$(CLANG_FORMAT) --dry-run --Werror $(formatted)
	@echo "format: $(words $(formatted)) files"

tidy: ## clang-tidy over all sources; ONLY=text for those whose path contains it
	@command -v $(CLANG_TIDY) >/dev/null || { echo '$(CLANG_TIDY) is missing; `make deps` installs it'; exit 1; }
	@printf '%s\n' $(if $(ONLY),$(foreach f,$(all_daemon) $(module_src),$(if $(findstring $(ONLY),$f),$f)),$(all_daemon) $(module_src)) \
	  | xargs -P $$(nproc) -n 1 sh -c '$(CLANG_TIDY) --quiet "$$0" -- -std=c++20 -I. $(LIB_FLAGS) 2>/dev/null'

##@ Install
.PHONY: deps deps-present
deps: ## install the Debian packages that building and testing need, where missing
	@.ci/deps build node parties test

deps-present:
	@.ci/deps $(package_sets)

install_to = $(DESTDIR)$(PREFIX)
.PHONY: install
install: all ## programs, manual, configuration (kept where one exists), systemd files
	install -d $(install_to)/sbin $(install_to)/bin $(install_to)/share/man/man1 $(install_to)/share/man/man5 \
	  $(install_to)/share/man/man7 $(install_to)/share/man/man8 $(DESTDIR)$(SYSCONFDIR)/limpet $(install_to)/share/doc/limpet
	install -m 755 $(OUT)/limpetd $(install_to)/sbin/limpetd
	install -m 755 $(OUT)/limpetctl $(install_to)/bin/limpetctl
	set -e; for page in man/*.[1578]; do install -m 644 $$page $(install_to)/share/man/man$${page##*.}/; done
	install -m 644 README.md CHANGELOG.md LICENSE conf/*.toml $(install_to)/share/doc/limpet/
	test -e $(DESTDIR)$(SYSCONFDIR)/limpet/limpet.toml || install -m 644 conf/limpet.toml $(DESTDIR)$(SYSCONFDIR)/limpet/limpet.toml
	set -e; for unit in systemd/*.service systemd/*.socket; do test -e $$unit || continue; \
	  install -d $(install_to)/lib/systemd/system; \
	  sed 's|/usr/sbin/|$(PREFIX)/sbin/|g; s|/usr/bin/|$(PREFIX)/bin/|g' $$unit > $(install_to)/lib/systemd/system/$${unit##*/}; \
	  chmod 644 $(install_to)/lib/systemd/system/$${unit##*/}; done
	set -e; for file in systemd/*sysusers*; do test -e $$file || continue; \
	  install -D -m 644 $$file $(install_to)/lib/sysusers.d/limpet.conf; done
	set -e; for file in systemd/*tmpfiles*; do test -e $$file || continue; \
	  install -D -m 644 $$file $(install_to)/lib/tmpfiles.d/limpet.conf; done

.PHONY: clean
clean: ## remove build/
	rm -rf build

.PHONY: help
help: ## this list
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^## /  { printf "  %s\n", substr($$0, 4) } \
	  /^[a-z][a-z0-9-]*:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# Lakebase Core Concepts: one file builds, installs, lints and tests everything.
# `make help` lists the targets. V=1 shows commands, VARIANT=asan|tsan|fault|coverage picks another build.

VERSION  := 0.1.0
VARIANT  ?= release
PREFIX   ?= /usr/local
DESTDIR  ?=
CC       ?= gcc
PYTHON   ?= python3
WERROR   ?= 1
V        ?= 0
LAB_ARGS ?=
LAB_PORT ?=

SHELL         := /bin/sh
MAKEFLAGS     += --no-builtin-rules --no-print-directory
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := build

Q   := $(if $(filter 1,$(V)),,@)
say  = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' $(1) $(2))

# ---- what is there --------------------------------------------------------------------------------
OUT     := build/$(VARIANT)
BIN     := $(if $(filter release,$(VARIANT)),build/bin,$(OUT)/bin)
GEN     := build/gen
SRCS    := $(filter-out kernel/bin/%,$(wildcard kernel/*/*.c))
MAINS   := $(wildcard kernel/bin/*_main.c)
TESTS   := $(wildcard tests/unit/test_*.c)
FOLDERS := $(sort $(foreach s,$(SRCS),$(word 2,$(subst /, ,$(s)))))
SQLDIRS := $(sort $(foreach s,$(wildcard kernel/*/sql/*.sql),$(word 2,$(subst /, ,$(s)))))
PYDIRS  := $(sort $(foreach s,$(wildcard kernel/*/py/*.py),$(word 2,$(subst /, ,$(s)))))

# layers.txt gives, per folder, the folders it links (DEPS_x) and the libraries they need (LIBS_x)
comma := ,
$(foreach w,$(shell awk -f tests/lint/layers.awk tests/lint/layers.txt),\
  $(eval DEPS_$(word 1,$(subst :, ,$(w))) := $(subst $(comma), ,$(word 2,$(subst :, ,$(w)))))\
  $(eval LIBS_$(word 1,$(subst :, ,$(w))) := $(subst $(comma), ,$(word 3,$(subst :, ,$(w))))))

# libpq and libcurl are loaded at their first use (base/lazy.h), and the workspace never calls out:
# what is not offered to the linker cannot slip in.
PROG_kernel    := lakebase-kernel
PROG_workspace := lakebase-workspace
LINK_kernel    := $(filter-out libpq libcurl,$(LIBS_jupyter))
LINK_workspace := $(filter-out libpq libcurl,$(LIBS_workspace))
PROGRAMS       := $(foreach m,$(patsubst kernel/bin/%_main.c,%,$(MAINS)),$(BIN)/$(PROG_$(m)))

# ---- flags ----------------------------------------------------------------------------------------
OPT_release  := -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
OPT_asan     := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
OPT_tsan     := -O1 -g -fno-omit-frame-pointer -fsanitize=thread
OPT_fault    := -O1 -g -DLAKEBASE_FAULT
OPT_coverage := -O0 -g --coverage
OPT          := $(OPT_$(VARIANT))
$(if $(OPT),,$(error VARIANT=$(VARIANT) is unknown: release, asan, tsan, fault, coverage))

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wwrite-strings \
        -Wformat=2 -Wcast-qual -Wundef -Wconversion -Wno-sign-conversion $(if $(filter 1,$(WERROR)),-Werror)
# cmocka's own macros cast freely
WARN_TEST := -Wno-conversion -Wno-cast-qual

once    = $(eval $(1) := $(2))$(2)
PKGS   := libzmq jansson openssl libpq libcurl uuid sqlite3 libmicrohttpd
PKG_I   = $(call once,PKG_I,$(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(PKGS))))
# liblber has a .pc file only in newer packages of OpenLDAP
pkg_l   = $(shell pkg-config --libs $(filter-out lber,$(1))) $(if $(filter lber,$(1)),-llber)
CFLAGS_ALL   = -std=c11 -D_GNU_SOURCE $(OPT) $(WARN) -pthread -DLAKEBASE_VERSION='"$(VERSION)"' \
               -Ikernel -I$(GEN) $(PKG_I) $(CPPFLAGS) $(CFLAGS)
LDFLAGS_ALL  = $(OPT) -pthread -Wl,--as-needed $(if $(filter release,$(VARIANT)),-pie -Wl$(comma)-z$(comma)relro) $(LDFLAGS)
group        = -Wl,--start-group $(1) -Wl,--end-group

# ---- objects, archives, programs ------------------------------------------------------------------
archives = $(patsubst %,$(OUT)/lib/%.a,$(filter $(FOLDERS),$(1)))
objects  = $(patsubst kernel/%.c,$(OUT)/obj/%.o,$(filter kernel/$(1)/%,$(SRCS)))

.PHONY: build
build: $(PROGRAMS) $(call archives,$(FOLDERS)) ## build both programs (the default)

# Everything is written beside its place and moved: two makes at once do no harm, and neither does a
# program that runs while it is rebuilt.
# A change of flags rebuilds; a touched Makefile does not.
.PHONY: FORCE
FORCE:
$(OUT)/flags: FORCE
	@mkdir -p $(@D); printf '%s\n' '$(subst ','\'',$(CC) $(CFLAGS_ALL) | $(LDFLAGS_ALL))' >$@.new; \
	cmp -s $@.new $@ && rm -f $@.new || mv $@.new $@

$(OUT)/obj/%.o: kernel/%.c $(OUT)/flags
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(CFLAGS_ALL) -MMD -MP -MF $(@:.o=.d) -MT $@ -c $< -o $@.$$$$ && mv $@.$$$$ $@

# The folder itself is a prerequisite: a deleted source leaves the archive too.
define folder_rules
$(OUT)/lib/$(1).a: $(call objects,$(1)) kernel/$(1)
	$$(call say,AR,$$@)
	$$(Q)mkdir -p $$(@D) && ar rcs $$@.$$$$$$$$ $(call objects,$(1)) && mv $$@.$$$$$$$$ $$@
endef
$(foreach f,$(FOLDERS),$(eval $(call folder_rules,$(f))))

# kernel/x/sql/y.sql becomes sql_y[] in "x/sql.h", kernel/x/py/y.py becomes py_y[] in "x/py.h"; \? keeps trigraphs out
define embed_rules
$(GEN)/$(1)/$(2).h: Makefile $(wildcard kernel/$(1)/$(2)/*.$(2)) kernel/$(1)/$(2)
	$$(call say,EMBED,$$@)
	$$(Q)mkdir -p $$(@D) && awk 'BEGIN { print "/* made by the Makefile from kernel/$(1)/$(2); do not edit */"; \
	  print "#pragma GCC diagnostic push\n#pragma GCC diagnostic ignored \"-Woverlength-strings\"" } \
	  FNR == 1 { if (NR > 1) print "    ;"; n = FILENAME; sub(/.*\//, "", n); sub(/\.$(2)$$$$/, "", n); \
	    gsub(/[^A-Za-z0-9_]/, "_", n); print "static const char $(2)_" n "[] __attribute__((unused)) =" } \
	  { gsub(/\\/, "&&"); gsub(/"/, "\\\""); gsub(/\?/, "\\?"); print "    \"" $$$$0 "\\n\"" } \
	  END { print "    ;\n#pragma GCC diagnostic pop" }' $(sort $(wildcard kernel/$(1)/$(2)/*.$(2))) >$$@
$(call objects,$(1)): | $(GEN)/$(1)/$(2).h
endef
$(foreach f,$(SQLDIRS),$(eval $(call embed_rules,$(f),sql)))
$(foreach f,$(PYDIRS),$(eval $(call embed_rules,$(f),py)))
EMBEDDED := $(SQLDIRS:%=$(GEN)/%/sql.h) $(PYDIRS:%=$(GEN)/%/py.h)
$(OUT)/obj/bin/%.o $(OUT)/obj/tests/%.o: | $(EMBEDDED)

define program_rules
$(BIN)/$(PROG_$(1)): $(OUT)/obj/bin/$(1)_main.o $(call archives,$(2)) $(OUT)/flags
	$$(call say,LINK,$$@)
	$$(Q)mkdir -p $$(@D) && $(CC) $$(LDFLAGS_ALL) -o $$@.$$$$$$$$ $(OUT)/obj/bin/$(1)_main.o \
	  $(call group,$(call archives,$(2))) $$(call pkg_l,$(LINK_$(1))) && mv $$@.$$$$$$$$ $$@
endef
$(eval $(call program_rules,kernel,$(DEPS_jupyter)))
$(eval $(call program_rules,workspace,$(DEPS_workspace)))

# ---- unit tests -----------------------------------------------------------------------------------
UNITS := $(patsubst %,$(OUT)/tests/%,$(or $(ONLY),$(TESTS:tests/unit/%.c=%)))

$(OUT)/obj/tests/%.o: tests/unit/%.c $(OUT)/flags
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(CFLAGS_ALL) $(WARN_TEST) -Itests/unit -MMD -MP -MF $(@:.o=.d) -MT $@ -c $< -o $@.$$$$ && mv $@.$$$$ $@

# test_<folder>_<what> links its folder and all layers below it
define unit_rules
$(OUT)/tests/$(1): $(OUT)/obj/tests/$(1).o $(call archives,$(DEPS_$(2)))
	$$(call say,LINK,$$@)
	$$(Q)mkdir -p $$(@D) && $(CC) $$(LDFLAGS_ALL) -o $$@.$$$$$$$$ $(OUT)/obj/tests/$(1).o \
	  $(call group,$(call archives,$(DEPS_$(2)))) $$(call pkg_l,cmocka $(LIBS_$(2))) && mv $$@.$$$$$$$$ $$@
endef
$(foreach t,$(TESTS:tests/unit/%.c=%),$(eval $(call unit_rules,$(t),$(word 2,$(subst _, ,$(t))))))

SAN_ENV := ASAN_OPTIONS=detect_leaks=1:halt_on_error=1:detect_stack_use_after_return=1 \
           UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 TSAN_OPTIONS=halt_on_error=1

.PHONY: unit asan tsan
unit: $(UNITS) ## run all C unit tests (ONLY=test_base_buf for one)
	@n=0; bad=; for t in $(UNITS); do n=$$((n + 1)); \
	  echo "== $$t"; env $(SAN_ENV) LAKEBASE_BUILD=$(OUT) $$t || bad="$$bad $$t"; done; \
	set -- $$bad; echo "unit ($(VARIANT)): $$((n - $$#)) programs passed, $$# failed$${bad:+:$$bad}"; \
	test -z "$$bad" && test $$n -gt 0

asan: ## the unit tests under AddressSanitizer, UBSan and LeakSanitizer
	@$(MAKE) VARIANT=asan unit

tsan: ## the unit tests under ThreadSanitizer
	@$(MAKE) VARIANT=tsan unit

-include $(patsubst %.o,%.d,$(foreach f,$(FOLDERS),$(call objects,$(f))) \
  $(MAINS:kernel/bin/%.c=$(OUT)/obj/bin/%.o) $(TESTS:tests/unit/%.c=$(OUT)/obj/tests/%.o))

# ---- set-up: packages, Python, kernelspec -----------------------------------------------------------
VENV     := .venv
SPEC     := kernelspec
SPEC_PNG := $(wildcard $(SPEC)/logo-*)

.PHONY: packages packages-test venv venv-test js kernelspec lab install
packages: ## install the missing system packages of docker/packages.txt (root or sudo)
	@sh docker/install-packages.sh build run
packages-test:
	@sh docker/install-packages.sh build run test

venv: ## the Python environment of the lab, from its lock file
	@PYTHON=$(PYTHON) sh docker/python/venv.sh $(VENV) lab
venv-test:
	@PYTHON=$(PYTHON) sh docker/python/venv.sh $(VENV) test

js: ## the JavaScript packages of the tests, from their lock file
	@sh docker/js/install.sh $(VENV) build/js

# $(call put_spec,DIRECTORY,PROGRAM); the path goes into JSON as it is, whatever is in it
quoted   = '$(subst ','\'',$(1))'
put_spec = mkdir -p $(call quoted,$(1)) && cp $(SPEC_PNG) $(call quoted,$(1)/) && \
           KERNEL=$(call quoted,$(2)) awk 'BEGIN { k = ENVIRON["KERNEL"]; gsub(/[\\"]/, "\\\\&", k) } \
             { at = index($$0, "@KERNEL@") } \
             at { $$0 = substr($$0, 1, at - 1) k substr($$0, at + 8) } { print }' \
             $(SPEC)/kernel.json.in >$(call quoted,$(1)/kernel.json)

kernelspec: build
	@$(call put_spec,$(VENV)/share/jupyter/kernels/lakebase,$(CURDIR)/$(BIN)/lakebase-kernel)

lab: ## set up what is missing, then open JupyterLab on the notebooks (LAB_ARGS=--no-browser, LAB_PORT=)
	@$(MAKE) packages && $(MAKE) venv && $(MAKE) -j"$$(nproc)" kernelspec
	@LAB_PORT='$(LAB_PORT)' exec sh docker/lab.sh $(LAB_ARGS)

install: build ## programs and kernelspec under $(DESTDIR)$(PREFIX)
	install -d $(call quoted,$(DESTDIR)$(PREFIX)/bin)
	install -m 755 $(PROGRAMS) $(call quoted,$(DESTDIR)$(PREFIX)/bin/)
	$(call put_spec,$(DESTDIR)$(PREFIX)/share/jupyter/kernels/lakebase,$(PREFIX)/bin/lakebase-kernel)

# ---- checks ---------------------------------------------------------------------------------------
.PHONY: lint test test-python test-fresh bench soak docs clean help
lint: $(EMBEDDED) ## layers, headers, banned calls, sizes, scripts; each check with its self-test
	@CC='$(CC)' LINT_CFLAGS='$(subst ','\'',$(CFLAGS_ALL))' $(PYTHON) tests/lint/run.py

test: ## the same set-up as lab plus test packages, then lint, unit, asan and all Python tests
	@$(MAKE) packages-test && $(MAKE) venv-test && $(MAKE) js && $(MAKE) -j"$$(nproc)" build WERROR=1
	@MAKE='$(MAKE)' bash tests/run.sh

test-python: build ## pytest only (AREA=tests/protocol, PYTEST_ARGS=-x)
	@$(VENV)/bin/python -m pytest $(PYTEST_ARGS) $(or $(AREA),tests)

test-fresh: ## make lab and make test in a fresh minimal Debian (debootstrap; root only)
	@bash tests/fresh/run.sh $(FRESH_ARGS)

bench: ## figures, each as a ratio against a peer of the same run (ONLY=name for one)
	@$(MAKE) build && bash tests/bench.sh $(ONLY)

soak: ## the long counts
	@$(MAKE) build $(OUT)/tests/test_pg_pool_load && $(VENV)/bin/python -m pytest $(PYTEST_ARGS) tests/soak

docs: build ## write the generated parts of README.md
	@$(VENV)/bin/python tests/docs.py README.md $(BIN)/lakebase-kernel

clean: ## remove build/ (the Python environment stays)
	rm -rf build

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

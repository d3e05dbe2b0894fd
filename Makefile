# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# make            library, CLI, BPF object, examples
# make check      as root: install what is missing, build, run all tests
# make demo       as root: install what is missing, build, show real traffic being placed
# make check-kernels  boot Debian's 6.1 and 6.12 in QEMU and try there what was built: half an hour
#                 (KERNELS=-q: quick, KERNELS=6.1-rt: one of them; JOBS=...)
# make fuzz-stages  libFuzzer on the pure stages and on what reads hostile memory: SECONDS=... each
# make fuzz-object   changed packets through the program itself: SECONDS=60
# make soak     as root: MINUTES=30 of traffic with faults, nothing may grow; RECORD=yes: into the README
# make fuzz       as root: random packets to model and program until they differ; with SECONDS=...
#                 for so long, then fuzz-object and fuzz-stages
# make bench      as root: measure (CASES=... for a part)
# make install    DESTDIR, PREFIX
# make lint       formatting, warnings of two compilers, scripts, man pages, verifier counts

VERSION := 0.1.0
SOVERSION := 0
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
BUILD ?= build

CC ?= gcc
CLANG ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool /sbin/bpftool) bpftool)
PKG_CONFIG ?= pkg-config

MULTIARCH := $(shell $(CC) -print-multiarch 2>/dev/null)
BPF_CFLAGS := -O2 -g -target bpf -mcpu=v3 -Wall -Wextra -Wno-unused-parameter \
	-Iinclude -Ibpf $(if $(MULTIARCH),-I/usr/include/$(MULTIARCH))
CFLAGS ?= -O2 -g
WARNINGS := -Wall -Wextra -Wno-unused-parameter -Wshadow -Wstrict-prototypes -Wmissing-prototypes
ALL_CFLAGS := -std=gnu11 $(WARNINGS) $(CFLAGS) -D_GNU_SOURCE -Iinclude -Ibpf -Iuser/lib -I$(BUILD)
LIB_LIBS := -lxdp -lbpf -lmnl -lelf -lz
CLI_LIBS := $(LIB_LIBS) -ljson-c -lpcap -lncurses -ltinfo

SKELETONS := $(patsubst bpf/%.bpf.c,$(BUILD)/%.skel.h,$(wildcard bpf/*.bpf.c))
LIB_SRC := $(wildcard user/lib/*.c)
CLI_SRC := $(wildcard user/cli/*.c)
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o)
CLI_OBJ := $(CLI_SRC:%.c=$(BUILD)/%.o)
EXAMPLES := $(patsubst user/examples/%.c,$(BUILD)/examples/%,$(wildcard user/examples/*.c))
# Not $(BUILD)/tests/host/*.o: $(BUILD)/tests/host is the program.
HOST_OBJ := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tests/host/*.c))
PROG_OBJ := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tests/prog/*.c))
MODEL_OBJ := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tests/model/*.c) tests/prog/packet.c \
	tests/prog/out.c)
NET_TOOLS := $(patsubst tests/net/%.c,$(BUILD)/tests/%,$(wildcard tests/net/*.c))
KERNEL_TOOLS := $(patsubst tests/kernels/%.c,$(BUILD)/tests/%,$(wildcard tests/kernels/*.c))
# A file is a target, but for those that all share or that have a main() of their own.
FUZZ_NAMES := $(filter-out fuzz seeds object,$(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c)))
FUZZ_DIR ?= $(BUILD)/fuzz
FUZZ_FLAGS := -std=gnu11 -O1 -g $(WARNINGS) -D_GNU_SOURCE -Iinclude -Ibpf -Iuser/lib -Iuser/cli \
	-I$(BUILD) -fsanitize=address,undefined -fno-sanitize-recover=all
# Words in packets lie where they lie, and the stages load them as the BPF program does.
FUZZ_FLAGS += -fno-sanitize=alignment
FUZZ_CLI := $(addprefix user/cli/,capture.c capture_link.c mend.c mend_overlap.c mend_survey.c options.c)
FUZZ_LIB := $(patsubst %.c,$(FUZZ_DIR)/%.o,$(LIB_SRC) $(FUZZ_CLI) tests/fuzz/fuzz.c)
comma := ,
LIBFUZZER := $(wildcard $(shell $(CLANG) -print-runtime-dir 2>/dev/null)/libclang_rt.fuzzer-*.a)
BENCH_BPF := $(patsubst tests/bench/%.bpf.c,$(BUILD)/bench/%.skel.h,$(wildcard tests/bench/*.bpf.c))
BENCH_SRC := $(filter-out %.bpf.c,$(wildcard tests/bench/*.c))
# Peers are compared with where their libraries are; the report says so of the others.
PEERS := $(BUILD)/bench/peer-ring.so $(if $(wildcard /usr/include/nids.h),$(BUILD)/bench/peer-libnids) \
	$(if $(shell $(PKG_CONFIG) --exists libdpdk && echo yes),$(addprefix $(BUILD)/bench/,peer-dpdk peer-dpdk-tx))

# So with liburing, which is one in the benchmark's own process.
BENCH_LIBS := -ljson-c -lm -lpthread $(if $(wildcard /usr/include/liburing.h),-luring)

STATIC := $(BUILD)/libxdplace.a
SHARED := $(BUILD)/libxdplace.so.$(SOVERSION)

.PHONY: all lib cli examples tests bench-build fuzz-build fuzz fuzz-model fuzz-stages fuzz-object soak check check-kernels demo bench install clean lint dependencies
all: lib cli examples

lib: $(STATIC) $(SHARED)
cli: $(BUILD)/xdplace
examples: $(EXAMPLES)
tests: all $(if $(HOST_OBJ),$(BUILD)/tests/host) $(if $(PROG_OBJ),$(BUILD)/tests/prog) $(NET_TOOLS) $(KERNEL_TOOLS) \
	$(BUILD)/tests/fuzz-object $(BUILD)/tests/fuzz-seeds
bench-build: all $(if $(BENCH_SRC),$(BUILD)/bench/bench $(PEERS))
tests: all $(if $(HOST_OBJ),$(BUILD)/tests/host) $(if $(PROG_OBJ),$(BUILD)/tests/prog) $(BUILD)/tests/model \
	$(NET_TOOLS) $(KERNEL_TOOLS)

$(BUILD)/%.bpf.o: bpf/%.bpf.c $(wildcard bpf/*.h include/xdplace/*.h)
	@mkdir -p $(@D)
	$(CLANG) $(BPF_CFLAGS) -c $< -o $@
$(SKELETONS): $(BUILD)/%.skel.h: $(BUILD)/%.bpf.o
	$(BPFTOOL) gen skeleton $< name $*_bpf > $@.tmp && mv $@.tmp $@

# The library is position independent once, for both of its forms.
$(BUILD)/user/lib/%.o: user/lib/%.c $(SKELETONS)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -fPIC -MMD -MP -c $< -o $@
# Tests look into the programs.
$(BUILD)/obj/%.o: %.c | $(SKELETONS)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@
$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

$(STATIC): $(LIB_OBJ)
	rm -f $@ && $(AR) rcs $@ $^
$(SHARED): $(LIB_OBJ) user/lib/libxdplace.map
	$(CC) $(CFLAGS) $(LDFLAGS) -shared -Wl,-soname,libxdplace.so.$(SOVERSION) \
		-Wl,--version-script=user/lib/libxdplace.map -Wl,--no-undefined \
		-o $@ $(LIB_OBJ) $(LIB_LIBS)
	ln -sf $(@F) $(BUILD)/libxdplace.so

$(BUILD)/xdplace: $(CLI_OBJ) $(STATIC)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(CLI_LIBS)
$(BUILD)/examples/%: user/examples/%.c $(STATIC)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP $< -o $@ $(STATIC) $(LIB_LIBS) -lcrypto
$(BUILD)/tests/host: $(HOST_OBJ) $(STATIC)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIB_LIBS) $(shell $(PKG_CONFIG) --libs check)
$(BUILD)/tests/prog: $(PROG_OBJ) $(STATIC)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIB_LIBS) $(shell $(PKG_CONFIG) --libs check)
$(BUILD)/tests/make_captures: tests/net/make_captures.c $(BUILD)/obj/tests/prog/packet.o
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Itests/prog -MMD -MP $< -o $@ $(BUILD)/obj/tests/prog/packet.o
$(BUILD)/tests/model: $(MODEL_OBJ) $(STATIC)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIB_LIBS)
$(BUILD)/tests/%: tests/net/%.c $(STATIC)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP $< -o $@ $(STATIC) $(LIB_LIBS) -lpthread
$(KERNEL_TOOLS): $(BUILD)/tests/%: tests/kernels/%.c $(STATIC)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP $< -o $@ $(STATIC) $(LIB_LIBS)

$(BUILD)/bench/%.bpf.o: tests/bench/%.bpf.c $(wildcard tests/bench/*.h bpf/*.h include/xdplace/*.h)
	@mkdir -p $(@D)
	$(CLANG) $(BPF_CFLAGS) -Itests/bench -c $< -o $@
$(BUILD)/bench/%.skel.h: $(BUILD)/bench/%.bpf.o
	$(BPFTOOL) gen skeleton $< > $@.tmp && mv $@.tmp $@
$(BUILD)/bench/bench: $(BENCH_SRC) $(wildcard tests/bench/*.h) $(BENCH_BPF) $(STATIC)
	$(CC) $(ALL_CFLAGS) -I$(BUILD)/bench $(BENCH_SRC) -o $@ $(STATIC) $(LIB_LIBS) $(BENCH_LIBS)
$(BUILD)/bench/peer-libnids: tests/bench/peers/nids.c tests/bench/peers/peer.h
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $< -o $@ -lnids -lpcap
$(BUILD)/bench/peer-ring.so: tests/bench/peers/ring.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -fPIC -shared $< -o $@ -lpcap
# DPDK's headers are the system's: their warnings are not ours.
$(BUILD)/bench/peer-dpdk: tests/bench/peers/dpdk.c tests/bench/peers/peer.h
$(BUILD)/bench/peer-dpdk-tx: tests/bench/peers/dpdk_tx.c tests/bench/tx_shared.h
$(BUILD)/bench/peer-dpdk $(BUILD)/bench/peer-dpdk-tx:
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(patsubst -I%,-isystem %,$(shell $(PKG_CONFIG) --cflags libdpdk)) \
		$< -o $@ $(shell $(PKG_CONFIG) --libs libdpdk)

# With the library's own sources built for libFuzzer; nothing at all where that is not installed.
fuzz-build: $(if $(LIBFUZZER),$(FUZZ_NAMES:%=$(FUZZ_DIR)/%))
$(FUZZ_DIR)/libfuzzed.a: $(FUZZ_LIB)
	rm -f $@ && $(AR) rcs $@ $^
$(FUZZ_LIB): $(FUZZ_DIR)/%.o: %.c $(BUILD)/xdplace.skel.h
	@mkdir -p $(@D)
	$(CLANG) $(FUZZ_FLAGS) $(FUZZ_EXTRA) -fsanitize=fuzzer-no-link -MMD -MP -c $< -o $@
$(FUZZ_NAMES:%=$(FUZZ_DIR)/%): $(FUZZ_DIR)/%: tests/fuzz/%.c $(FUZZ_DIR)/libfuzzed.a
	$(CLANG) $(FUZZ_FLAGS) $(FUZZ_EXTRA) -fsanitize=fuzzer -MMD -MP $< -o $@ $(FUZZ_WRAP) \
		$(FUZZ_DIR)/libfuzzed.a $(LIB_LIBS) -lpcap
# The kernel's side of a context is played by the target.
$(FUZZ_DIR)/ring: FUZZ_WRAP := $(patsubst %,-Wl$(comma)--wrap=%,xp_lock xp_unlock xp_lock_lane \
	xp_unlock_lane xp_map_read bpf_map_lookup_elem ring_buffer__new ring_buffer__free usleep)
$(BUILD)/tests/fuzz-seeds: tests/fuzz/seeds.c tests/prog/packet.c tests/prog/packet.h
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(filter %.c,$^) -o $@
$(BUILD)/tests/fuzz-object: $(BUILD)/obj/tests/fuzz/object.o \
		$(filter-out $(addprefix $(BUILD)/obj/tests/prog/,main.o t_%.o),$(PROG_OBJ)) $(STATIC)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIB_LIBS) $(shell $(PKG_CONFIG) --libs check)

dependencies:
	@scripts/dependencies.sh
check: dependencies
	@$(MAKE) --no-print-directory tests fuzz-build
	@scripts/check.sh
# Without QEMU it skips, and says so; without what building needs nothing goes on.
check-kernels:
	@scripts/dependencies.sh kernels || scripts/dependencies.sh
	@$(MAKE) --no-print-directory tests
	@scripts/kernels.sh -b $(BUILD) $(KERNELS)
demo: dependencies
	@$(MAKE) --no-print-directory all
	@scripts/demo.sh
bench:
	@scripts/dependencies.sh
	@scripts/dependencies.sh bench || echo "bench: going on without those peers"
	@$(MAKE) --no-print-directory bench-build
	@scripts/bench.sh $(CASES)
# Without SECONDS the first of them has no end.
fuzz: fuzz-model $(if $(SECONDS),fuzz-object fuzz-stages)
fuzz-model: dependencies
	@$(MAKE) --no-print-directory $(BUILD)/tests/model
	@$(BUILD)/tests/model -t $(or $(SECONDS),0) -s $(or $(SEED),$(shell date +%s)) -w $(BUILD)/model.pcap
fuzz-stages: dependencies
	@$(MAKE) --no-print-directory fuzz-build
	@scripts/fuzz.sh run $(SECONDS)
fuzz-object: dependencies
	@$(MAKE) --no-print-directory $(BUILD)/tests/fuzz-object
	@$(BUILD)/tests/fuzz-object -t $(or $(SECONDS),60)
soak: dependencies
	@$(MAKE) --no-print-directory tests
	@tests/net/soak.sh -m $(or $(MINUTES),30) $(if $(RECORD),--record)
lint: all tests bench-build
	@scripts/lint.sh

# The .pc file is made here: what was built may be installed under any prefix.
install: all
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(LIBDIR)/pkgconfig \
		$(DESTDIR)$(PREFIX)/include/xdplace $(DESTDIR)$(PREFIX)/share/man/man3 \
		$(DESTDIR)$(PREFIX)/share/man/man7 $(DESTDIR)$(PREFIX)/share/man/man8 \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(LIBDIR)/bpf
	install -m 755 $(BUILD)/xdplace $(DESTDIR)$(PREFIX)/sbin/
	install -m 644 $(STATIC) $(DESTDIR)$(LIBDIR)/
	install -m 755 $(SHARED) $(DESTDIR)$(LIBDIR)/
	ln -sf $(notdir $(SHARED)) $(DESTDIR)$(LIBDIR)/libxdplace.so
	install -m 644 $(SKELETONS:%.skel.h=%.bpf.o) $(DESTDIR)$(LIBDIR)/bpf/
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@VERSION@|$(VERSION)|' \
		user/lib/xdplace.pc.in > $(BUILD)/xdplace.pc
	install -m 644 $(BUILD)/xdplace.pc $(DESTDIR)$(LIBDIR)/pkgconfig/
	install -m 644 include/xdplace/*.h $(DESTDIR)$(PREFIX)/include/xdplace/
	for s in 3 7 8; do install -m 644 user/man/*.$$s $(DESTDIR)$(PREFIX)/share/man/man$$s/; done
	install -m 644 scripts/xdplace.bash-completion \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/xdplace

clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

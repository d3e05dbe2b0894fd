/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_lib.c - options and their limits, the layout of the UMEM, names, pieces of a completion.
 * Nothing here needs the kernel.
 */
#include <errno.h>
#include <string.h>

#include "context.h"
#include "suites.h"

static struct xdplace_opts standard(void)
{
	struct xdplace_opts opts = {.size = sizeof(opts)};

	return opts;
}

static struct xp_config made(const struct xdplace_opts *opts)
{
	struct xp_config config;
	int err = xp_config_from_opts(&config, opts);

	ck_assert_msg(!err, "%s", xdplace_error());
	return config;
}

/* Refused, and the message names what. */
static void refused(const struct xdplace_opts *opts, const char *what)
{
	struct xp_config config;

	ck_assert_int_eq(xp_config_from_opts(&config, opts), -EINVAL);
	ck_assert_msg(strstr(xdplace_error(), what), "'%s' is not in: %s", what, xdplace_error());
}

START_TEST(options_defaults)
{
	struct xdplace_opts opts = standard();
	struct xp_config c;

	opts.lanes = 4;
	c = made(&opts);
	ck_assert_uint_eq(c.abi, XP_ABI);
	ck_assert_uint_eq(c.knobs, XP_KNOB_CHECKSUM | XP_KNOB_PICKUP);
	ck_assert_uint_eq(c.protocols, XP_P_ALL);
	ck_assert_uint_eq(c.area_shift, 12);
	ck_assert_uint_eq(c.areas, 16384);
	ck_assert_uint_eq(c.bank_shift, 26);
	ck_assert_uint_eq(c.banks, 1);
	ck_assert_uint_eq(c.ring, 4096);
	ck_assert_uint_eq(c.hot, 1024);
	ck_assert_uint_eq(c.cold, 4096);
	ck_assert_uint_eq(c.flows, 4096);
	ck_assert_uint_eq(c.early, 256);
	ck_assert_uint_eq(c.rtp, 64);
	ck_assert_uint_eq(c.window, 256);
	ck_assert_uint_eq(c.threshold, 256);
	ck_assert_uint_eq(c.flow_ticks, (300000000ull + c.tick_us - 1) / c.tick_us);
	ck_assert_uint_eq(c.own_areas, 0);
}
END_TEST

START_TEST(options_lanes_are_cpus)
{
	struct xdplace_opts opts = standard();
	struct xp_config c = made(&opts);

	ck_assert_uint_ge(c.lanes, 1);
	ck_assert_uint_le(c.lanes, XP_MAX_LANES);
}
END_TEST

START_TEST(options_banks)
{
	struct xdplace_opts opts = standard();
	struct xp_config c;

	opts.umem_size = 4ull << 30;
	c = made(&opts);
	ck_assert_uint_eq(c.banks, 16);
	ck_assert_uint_eq(c.bank_shift, 28);
	ck_assert_uint_eq(c.areas, 1 << 20);
}
END_TEST

/* What fragments may hold: a quarter of the memory, but one of the longest datagrams. [R14] */
START_TEST(options_datagrams)
{
	struct xdplace_opts opts = standard();
	struct xp_config c;

	opts.lanes = 4;
	c = made(&opts);
	ck_assert_uint_eq(c.datagrams, 64);
	ck_assert_uint_eq(c.datagram_areas, c.areas / 4 / 4);
	opts.umem_size = 1 << 20;
	opts.lanes = 8;
	c = made(&opts);
	ck_assert_uint_eq(c.datagram_areas, 16);
	opts.datagrams = 1;
	c = made(&opts);
	ck_assert_uint_eq(c.datagrams, 1);
	opts.fragment_age_ms = UINT32_MAX;
	ck_assert_uint_gt(c.fragment_ticks, 0);
	c = made(&opts);
	ck_assert_uint_eq(c.fragment_ticks, 0);
}
END_TEST

START_TEST(options_never_age)
{
	struct xdplace_opts opts = standard();
	struct xp_config c;

	opts.flow_age_ms = opts.hole_age_ms = UINT32_MAX;
	c = made(&opts);
	ck_assert_uint_eq(c.flow_ticks, 0);
	ck_assert_uint_eq(c.hole_ticks, 0);
	opts.flow_age_ms = 1;
	c = made(&opts);
	ck_assert_uint_ge(c.flow_ticks, 1);
}
END_TEST

START_TEST(options_flows_of_all_lanes_fit_a_handle)
{
	struct xdplace_opts opts = standard();
	struct xp_config c;

	opts.lanes = 3;
	opts.flows = XP_MAX_FLOWS;
	c = made(&opts);
	ck_assert_uint_le(c.flows * c.lanes, XP_MAX_FLOWS);
	opts.flows = 1;
	c = made(&opts);
	ck_assert_uint_eq(c.flows, 1);
	ck_assert_uint_eq(c.early, 1);
}
END_TEST

START_TEST(options_own_areas_before_the_guard)
{
	struct xdplace_opts opts = standard();
	struct xp_config c;

	opts.own_size = 1 << 20;
	c = made(&opts);
	ck_assert_uint_eq(c.own_areas, 257);
}
END_TEST

START_TEST(options_names)
{
	struct xdplace_opts opts = standard();
	struct xp_config c;

	opts.pin = "tap0";
	c = made(&opts);
	ck_assert_str_eq(c.name, "tap0");
	opts.name = "capture-1_x";
	c = made(&opts);
	ck_assert_str_eq(c.name, "capture-1_x");
	opts.name = "sixteen-letters-";
	refused(&opts, "sixteen-letters-");
	opts.name = "a/b";
	refused(&opts, "a/b");
	opts.name = NULL;
	opts.pin = "";
	refused(&opts, "pin ''");
	opts.pin = "../x";
	refused(&opts, "../x");
}
END_TEST

START_TEST(options_other_version)
{
	struct xdplace_opts opts = standard();

	opts.size--;
	refused(&opts, "another version");
}
END_TEST

#define FIELD(name, bad, text)                                                                     \
	{                                                                                          \
		offsetof(struct xdplace_opts, name), sizeof(((struct xdplace_opts *)0)->name),     \
			bad, text                                                                  \
	}
static const struct {
	size_t offset;
	size_t size;
	uint64_t value;
	const char *text;
} out_of_range[] = {
	FIELD(umem_size, 1 << 19, "umem_size 524288"),
	FIELD(umem_size, 3 << 20, "umem_size 3145728: must be a power of two"),
	FIELD(umem_size, 1ull << 33, "1048576 .. 4294967296"),
	FIELD(area_size, 2048, "area_size 2048"),
	FIELD(area_size, 65536, "4096 .. 32768"),
	FIELD(area_size, 5000, "power of two"),
	FIELD(threshold, 63, "64 .. 2048"),
	FIELD(threshold, 2049, "threshold 2049"),
	FIELD(window, 8 * 4096, "window 32768"),
	FIELD(window, 512 * 4096, "65536 .. 1048576"),
	FIELD(window, 3 << 17, "power of two"),
	FIELD(flows, (1 << 20) + 1, "flows 1048577"),
	FIELD(early, 16385, "early 16385: must be 1 .. 16384"),
	FIELD(rtp, 16385, "rtp 16385: must be 1 .. 16384"),
	FIELD(lanes, 65, "lanes 65: must be 1 .. 64"),
	FIELD(ring, 512, "ring 512"),
	FIELD(ring, 1 << 21, "1024 .. 1048576"),
	FIELD(ring, 5000, "power of two"),
	FIELD(hot, 8, "16 .. 4096"),
	FIELD(hot, 8192, "hot 8192"),
	FIELD(hot, 48, "power of two"),
	FIELD(own_size, 1000, "multiple of area_size"),
	FIELD(own_size, 64 << 20, "own_size 67108864: must be 0 .. 33554432"),
	FIELD(protocols, 0x8000, "protocols 0x8000"),
};

START_TEST(options_out_of_range)
{
	struct xdplace_opts opts = standard();

	memcpy((char *)&opts + out_of_range[_i].offset, &out_of_range[_i].value,
	       out_of_range[_i].size);
	refused(&opts, out_of_range[_i].text);
}
END_TEST

START_TEST(options_lanes_need_areas)
{
	struct xdplace_opts opts = standard();

	opts.umem_size = 1 << 20;
	opts.area_size = 32768;
	opts.window = 16 * 32768;
	opts.lanes = 2;
	refused(&opts, "lanes 2: must be 1 .. 1");
	opts.lanes = 0;
	ck_assert_uint_eq(made(&opts).lanes, 1);
}
END_TEST

/* Every area is in one part of the layout, and groups take up exactly what is usable. */
static void check_layout(const struct xdplace_opts *opts)
{
	struct xp_config c = made(opts);
	struct xp_layout layout;
	uint32_t area, usable = 0;

	xp_layout(&c, &layout);
	for (area = 0; area < layout.usable; area++)
		usable += !xp_area_guard(&c, &layout, area);
	ck_assert_uint_eq(usable, layout.groups * XP_FREE_GROUP);
	ck_assert_uint_le(layout.xsk - layout.usable, 4); /* three, maybe around a guard */
	ck_assert_uint_eq(layout.own - layout.xsk, layout.xsk_per_lane * c.lanes);
	ck_assert_uint_eq(c.areas - layout.own, c.own_areas);
	ck_assert(xp_area_guard(&c, &layout, c.areas - 1));
}

START_TEST(layout_accounts_for_all)
{
	struct xdplace_opts opts = standard();
	unsigned shift;

	opts.lanes = 3;
	opts.early = 1;
	for (shift = 20; shift <= 32; shift++) {
		opts.umem_size = 1ull << shift;
		opts.frames_xsk = shift & 1;
		opts.own_size = (shift & 3) * 4096;
		check_layout(&opts);
	}
}
END_TEST

START_TEST(names_of_every_number)
{
	ck_assert_str_eq(xdplace_opcode_name(XP_APPEND), "append");
	ck_assert_str_eq(xdplace_opcode_name(XP_OPCODE_COUNT - 1), "stale");
	ck_assert_str_eq(xdplace_opcode_name(XP_OPCODE_COUNT), "?");
	ck_assert_str_eq(xdplace_opcode_meaning(XP_LAST), "next in sequence, ends the flow (FIN)");
	ck_assert_str_eq(xdplace_reason_name(XP_R_OK), "placed");
	ck_assert_str_eq(xdplace_reason_name(XP_R_NO_SOCKET), "no_socket");
	ck_assert_str_eq(xdplace_reason_name(~0u), "?");
	ck_assert_str_eq(xdplace_reason_meaning(XP_R_RESET), "flow ended by RST");
	ck_assert_str_eq(xdplace_area_state_name(XDPLACE_AREA_TWICE), "twice");
	ck_assert_str_eq(xdplace_area_state_name(XDPLACE_AREA_STATES), "?");
	ck_assert_str_eq(xdplace_area_kind_name(XP_AREA_REASSEMBLY), "re-assembly");
	ck_assert_str_eq(xdplace_area_kind_name(XP_AREA_KINDS), "?");
}
END_TEST

/* A context of 1 MiB in plain memory: enough for what only looks. */
static uint8_t memory[1 << 20];
static struct xdplace looking = {
	.umem = memory, .umem_size = sizeof(memory), .config = {.area_shift = 12, .areas = 256}};

static struct xp_completion data_at(uint32_t data, uint32_t data2, uint16_t len)
{
	struct xp_completion c = {.header = XP_NONE, .data = data, .data2 = data2, .data_len = len};

	return c;
}

START_TEST(data_pieces)
{
	struct xp_completion c = data_at(4096 + 100, XP_NONE, 500);
	struct iovec iov[2];

	ck_assert_int_eq(xdplace_data(&looking, &c, iov), 1);
	ck_assert_ptr_eq(iov[0].iov_base, memory + 4196);
	ck_assert_uint_eq(iov[0].iov_len, 500);

	c = data_at(8192 - 100, 40960, 500);
	ck_assert_int_eq(xdplace_data(&looking, &c, iov), 2);
	ck_assert_uint_eq(iov[0].iov_len, 100);
	ck_assert_ptr_eq(iov[1].iov_base, memory + 40960);
	ck_assert_uint_eq(iov[1].iov_len, 400);

	c = data_at(8192 - 100, 8192, 500); /* an own area: contiguous */
	ck_assert_int_eq(xdplace_data(&looking, &c, iov), 1);
	ck_assert_uint_eq(iov[0].iov_len, 500);
}
END_TEST

START_TEST(data_none)
{
	struct xp_completion c = data_at(4096, XP_NONE, 0);
	struct iovec iov[2];

	ck_assert_int_eq(xdplace_data(&looking, &c, iov), 0);
	c = data_at(XP_NONE, XP_NONE, 10);
	ck_assert_int_eq(xdplace_data(&looking, &c, iov), 0);
	c = data_at(4096, XP_NONE, 10);
	c.flags = XP_GAP;
	ck_assert_int_eq(xdplace_data(&looking, &c, iov), 0);
}
END_TEST

START_TEST(data_outside_the_umem)
{
	struct xp_completion c = data_at(sizeof(memory), XP_NONE, 10);
	struct iovec iov[2];

	ck_assert_int_eq(xdplace_data(&looking, &c, iov), 0);
	c = data_at(8000, sizeof(memory) - 4096, 5000);
	ck_assert_int_eq(xdplace_data(&looking, &c, iov), 0);
	c = data_at(8000, XP_NONE, 5000);
	ck_assert_int_eq(xdplace_data(&looking, &c, iov), 0);
}
END_TEST

START_TEST(header_where_it_is)
{
	struct xp_completion c = {.header = 514, .header_len = 54};
	size_t len;

	ck_assert_ptr_eq(xdplace_header(&looking, &c, &len), memory + 514);
	ck_assert_uint_eq(len, 54);
	c.header = XP_NONE;
	ck_assert_ptr_null(xdplace_header(&looking, &c, &len));
	c.header = sizeof(memory) - 53;
	ck_assert_ptr_null(xdplace_header(&looking, &c, &len));
	ck_assert_uint_eq(len, 0);
}
END_TEST

START_TEST(pin_paths)
{
	char path[64];

	ck_assert_int_eq(xp_pin_path("tap", "link_eth0.100", path, sizeof(path)), 0);
	ck_assert_str_eq(path, "/sys/fs/bpf/xdplace/tap/link_eth0:100");
	ck_assert_int_eq(xp_pin_path("tap", NULL, path, sizeof(path)), 0);
	ck_assert_str_eq(path, "/sys/fs/bpf/xdplace/tap");
	ck_assert_int_eq(xp_pin_path("tap", "events_1", path, 20), -ENAMETOOLONG);
}
END_TEST

Suite *suite_lib(void)
{
	Suite *suite = suite_create("lib");
	TCase *options = tcase_create("options");
	TCase *looks = tcase_create("looks");

	tcase_add_test(options, options_defaults);
	tcase_add_test(options, options_lanes_are_cpus);
	tcase_add_test(options, options_banks);
	tcase_add_test(options, options_datagrams);
	tcase_add_test(options, options_never_age);
	tcase_add_test(options, options_flows_of_all_lanes_fit_a_handle);
	tcase_add_test(options, options_own_areas_before_the_guard);
	tcase_add_test(options, options_names);
	tcase_add_test(options, options_other_version);
	tcase_add_test(options, options_lanes_need_areas);
	tcase_add_test(options, layout_accounts_for_all);
	tcase_add_test(looks, names_of_every_number);
	tcase_add_test(looks, data_pieces);
	tcase_add_test(looks, data_none);
	tcase_add_test(looks, data_outside_the_umem);
	tcase_add_test(looks, header_where_it_is);
	tcase_add_test(looks, pin_paths);
	tcase_add_loop_test(options, options_out_of_range, 0, COUNT(out_of_range));
	suite_add_tcase(suite, options);
	suite_add_tcase(suite, looks);
	return suite;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * picture.c - one picture for each question that the rx and tx cases answer, as SVG.
 *
 * In: what was reported. Out: a file of bars beside the report, a bar for each system that was
 * measured with its least and greatest as a line. A question of which nothing was measured has no
 * picture.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "bench.h"

#define WIDTH 1040.0
#define PANEL 330.0 /* height */
#define TOP 80.0    /* title and legend */
#define LEFT 60.0
#define RIGHT 10.0
#define HEAD 34.0 /* of a panel, above its bars */
#define FOOT 26.0
#define GROUPS_MAX 6u
#define PANELS_MAX 3u
#define LEGEND_LINE 17.0
#define LETTER 0.6 /* its width, of its height */
#define SMALL 10.0

struct group {
	const char *label;
	const char *name; /* of the case */
	const char *metric;
};

struct panel {
	const char *axis;
	bool logarithmic;
	struct group group[GROUPS_MAX];
};

struct picture {
	const char *file;
	const char *title;
	struct panel panel[PANELS_MAX];
};

struct colour {
	const char *system;
	const char *fill;
};

static const struct colour colours[] = {
	{"xdplace", "#0b6e4f"},
	{"xdplace-nocsum", "#7cc6a4"},
	{"afxdp-reassembler", "#c84630"},
	{"afxdp-reassembler-nocsum", "#eba193"},
	{"dpdk-gro", "#3d5a98"},
	{"libnids", "#8e6bbf"},
	{"tcpflow", "#d9a441"},
	{"kernel-socket", "#4d4d4d"},
	{"copy-floor", "#b5b5b5"},
	{"host", "#b5b5b5"},
	{"no-xdp", "#b5b5b5"},
	{"pass-only", "#4d4d4d"},
	{"copy-pass", "#8c8c8c"},
	{"run", "#0b6e4f"},
	{"run-csum", "#7cc6a4"},
	{"xsk", "#2f9e8f"},
	{"sendmmsg", "#4d4d4d"},
	{"udp-gso", "#d9a441"},
	{"udp-gso-best", "#8a6414"},
	{"msg-zerocopy", "#8e6bbf"},
	{"io-uring-zc", "#b59ad6"},
	{"afxdp", "#c84630"},
	{"afxdp-csum", "#eba193"},
	{"dpdk", "#3d5a98"},
	{"sendmmsg-timer", "#4d4d4d"},
	{"sendmmsg-interval", "#b5b5b5"},
	{"so-max-pacing-rate", "#d9a441"},
};
#define COLOURS (sizeof(colours) / sizeof(colours[0]))

static const struct picture pictures[] = {
	{"rx-rate.svg",
	 "Highest rate of payload without a loss",
	 {{"Gbit/s, TCP, 1400 bytes a packet",
	   false,
	   {{"1 stream", "rx-rate-tcp1400-1flow", "gbit_per_s"},
	    {"1,000 streams", "rx-rate-tcp1400-1000flows", "gbit_per_s"}}},
	  {"Gbit/s, UDP",
	   false,
	   {{"512 bytes", "rx-rate-udp512", "gbit_per_s"},
	    {"1400 bytes", "rx-rate-udp1400", "gbit_per_s"}}},
	  {"Gbit/s, UDP", false, {{"64 bytes", "rx-rate-udp64", "gbit_per_s"}}}}},
	{"rx-cpu.svg",
	 "CPU time for a gigabyte of payload, all CPUs",
	 {{"seconds, without generator and driver",
	   false,
	   {{"at 2 Gbit/s", "rx-cpu-tcp1400-2gbit", "net_s_per_gb"},
	    {"at 11 Gbit/s", "rx-cpu-tcp1400-11gbit", "net_s_per_gb"}}}}},
	{"rx-flows.svg",
	 "Many flows in turn, one packet each",
	 {{"CPU time for a packet, ns, without generator and driver",
	   true,
	   {{"1,000", "rx-flows-1000", "net_ns_per_packet"},
	    {"10,000", "rx-flows-10000", "net_ns_per_packet"},
	    {"100,000", "rx-flows-100000", "net_ns_per_packet"},
	    {"1,000,000", "rx-flows-1000000", "net_ns_per_packet"}}},
	  {"memory, MiB",
	   true,
	   {{"1,000", "rx-flows-1000", "mib"},
	    {"10,000", "rx-flows-10000", "mib"},
	    {"100,000", "rx-flows-100000", "mib"},
	    {"1,000,000", "rx-flows-1000000", "mib"}}}}},
	{"rx-reorder.svg",
	 "What reordering costs",
	 {{"CPU seconds for a gigabyte at 11 Gbit/s, without generator and driver",
	   false,
	   {{"in order", "rx-reorder-0pct", "net_s_per_gb"},
	    {"1 % late", "rx-reorder-1pct", "net_s_per_gb"},
	    {"5 % late", "rx-reorder-5pct", "net_s_per_gb"}}},
	  {"highest rate of payload without a loss, Gbit/s",
	   false,
	   {{"in order", "rx-reorder-0pct", "gbit_per_s"},
	    {"1 % late", "rx-reorder-1pct", "gbit_per_s"},
	    {"5 % late", "rx-reorder-5pct", "gbit_per_s"}}}}},
	{"rx-latency.svg",
	 "From frame sent to consumer has the payload",
	 {{"microseconds, busy consumer; host: a thread that waits for nothing but a time in "
	   "memory",
	   true,
	   {{"median", "rx-latency-busy", "us_median"},
	    {"99 %", "rx-latency-busy", "us_p99"},
	    {"99.9 %", "rx-latency-busy", "us_p999"}}},
	  {"microseconds, sleeping consumer; host: a thread that is woken by a timer",
	   true,
	   {{"median", "rx-latency-sleep", "us_median"},
	    {"99 %", "rx-latency-sleep", "us_p99"},
	    {"99.9 %", "rx-latency-sleep", "us_p999"}}}}},
	{"rx-tap.svg",
	 "The kernel's own TCP while it is tapped",
	 {{"Gbit/s, iperf3", false, {{"one stream", "rx-tap-iperf3", "gbit_per_s"}}},
	  {"CPU time for a packet, ns",
	   false,
	   {{"sender and stack, CPU 0", "rx-tap-iperf3", "sender_ns_per_packet"},
	    {"receiver, CPU 1", "rx-tap-iperf3", "receiver_ns_per_packet"},
	    {"xdplace's consumer, CPU 1", "rx-tap-iperf3", "consumer_ns_per_packet"}}}}},
	{"tx-rate.svg",
	 "Packets sent from one core to a peer that drops",
	 {{"millions a second, one destination, by bytes of payload",
	   false,
	   {{"64", "tx-64-1dest-burst1", "mpps"},
	    {"512", "tx-512-1dest-burst1", "mpps"},
	    {"1400", "tx-1400-1dest-burst1", "mpps"},
	    {"8900", "tx-8900-1dest-burst1", "mpps"}}},
	  {"millions a second, 256 destinations in turn",
	   false,
	   {{"64", "tx-64-256dest-burst1", "mpps"},
	    {"512", "tx-512-256dest-burst1", "mpps"},
	    {"1400", "tx-1400-256dest-burst1", "mpps"},
	    {"8900", "tx-8900-256dest-burst1", "mpps"}}}}},
	{"tx-turns.svg",
	 "1400 bytes from one core to 64 destinations, packet by packet in turn",
	 {{"millions of packets a second",
	   false,
	   {{"to a peer that drops", "tx-1400-64dest-burst1", "mpps"},
	    {"to a peer that receives", "tx-1400-64dest-burst1-received", "mpps"}}},
	  {"CPU seconds for a gigabyte of payload",
	   false,
	   {{"to a peer that drops", "tx-1400-64dest-burst1", "cpu_s_per_gb"},
	    {"to a peer that receives", "tx-1400-64dest-burst1-received", "cpu_s_per_gb"}}}}},
	{"tx-paced.svg",
	 "1,000 paced streams of 2 Mbit/s",
	 {{"microseconds off between two packets of a stream",
	   true,
	   {{"median", "tx-paced-1000x2mbit", "us_median"},
	    {"99.9 %", "tx-paced-1000x2mbit", "us_p999"}}},
	  {"CPUs in use", false, {{"", "tx-paced-1000x2mbit", "cpus"}}}}},
};

/* Where values are in a panel. */
struct scale {
	double low;
	double high;
	double top; /* y of the highest */
	double bottom;
	bool logarithmic;
};

static double height_of(const struct scale *scale, double value)
{
	double part = value / scale->high;

	if (scale->logarithmic)
		part = log10(value / scale->low) / log10(scale->high / scale->low);
	part = fmin(fmax(part, 0), 1);
	return scale->bottom - part * (scale->bottom - scale->top);
}

static bool look_up(const struct group *group, size_t system, struct bench_value *value)
{
	return bench_look_up(group->name, colours[system].system, group->metric, value) &&
	       !isnan(value->value);
}

/* 1, 2 or 5 times a power of ten: four to ten of them. */
static double step_of(double high)
{
	double power = pow(10, floor(log10(high)));
	double part = high / power;

	return part < 2 ? power / 5 : part < 5 ? power / 2 : power;
}

/* The axis ends with a whole step. */
static void round_scale(struct scale *scale)
{
	if (scale->high <= 0)
		return;
	if (scale->logarithmic) {
		scale->low = pow(10, floor(log10(scale->low)));
		scale->high = pow(10, ceil(log10(scale->high)));
		return;
	}
	scale->high = ceil(scale->high / step_of(scale->high)) * step_of(scale->high);
}

static struct scale find_scale(const struct panel *panel, double top)
{
	struct scale scale = {INFINITY, 0, top + HEAD, top + PANEL - FOOT, panel->logarithmic};
	const struct group *group;
	struct bench_value value;
	size_t i;

	for (group = panel->group; group < panel->group + GROUPS_MAX && group->name; group++) {
		for (i = 0; i < COLOURS; i++) {
			if (!look_up(group, i, &value))
				continue;
			scale.high = fmax(scale.high, value.max);
			if (value.min > 0)
				scale.low = fmin(scale.low, value.min);
		}
	}
	round_scale(&scale);
	return scale;
}

static void draw_line(FILE *out, const struct scale *scale, double value)
{
	double y = height_of(scale, value);

	fprintf(out,
		"<line x1='%.0f' x2='%.0f' y1='%.1f' y2='%.1f' stroke='#ddd'/>"
		"<text x='%.0f' y='%.1f' text-anchor='end'>%g</text>\n",
		LEFT, WIDTH - RIGHT, y, y, LEFT - 6, y + 4, value);
}

static void draw_axis(FILE *out, const struct panel *panel, const struct scale *scale)
{
	double value, step;

	fprintf(out, "<text x='%.0f' y='%.1f' font-weight='bold'>%s</text>\n", LEFT,
		scale->top - 14, panel->axis);
	if (scale->logarithmic) {
		for (value = scale->low; value <= scale->high * 1.01; value *= 10)
			draw_line(out, scale, value);
		return;
	}
	step = step_of(scale->high);
	for (value = 0; value <= scale->high; value += step)
		draw_line(out, scale, value);
}

static void draw_bar(FILE *out, const struct scale *scale, const struct bench_value *value,
		     const char *fill, double x, double width)
{
	double y = height_of(scale, value->value);
	char text[32];

	snprintf(text, sizeof(text), value->value < 100 ? "%.3g" : "%.0f", value->value);
	fprintf(out, "<rect x='%.1f' y='%.1f' width='%.1f' height='%.1f' fill='%s'/>\n", x, y,
		width * 0.9, scale->bottom - y, fill);
	fprintf(out, "<line x1='%.1f' x2='%.1f' y1='%.1f' y2='%.1f' stroke='black'/>\n",
		x + width * 0.45, x + width * 0.45, height_of(scale, value->max),
		height_of(scale, value->min));
	fprintf(out, "<text x='%.1f' y='%.1f' text-anchor='middle' font-size='%.1f'>%s</text>\n",
		x + width * 0.45, height_of(scale, value->max) - 3,
		fmin(SMALL, width / LETTER / strlen(text)), text);
}

static void draw_panel(FILE *out, const struct panel *panel, double top)
{
	const struct scale scale = find_scale(panel, top);
	const struct group *group;
	struct bench_value value;
	size_t groups = 0;
	double wide, x;
	size_t i, bars;

	if (scale.high <= 0)
		return;
	draw_axis(out, panel, &scale);
	while (groups < GROUPS_MAX && panel->group[groups].name)
		groups++;
	wide = (WIDTH - LEFT - RIGHT) / groups;
	for (group = panel->group; group < panel->group + groups; group++) {
		x = LEFT + wide * (group - panel->group);
		fprintf(out, "<text x='%.1f' y='%.1f' text-anchor='middle'>%s</text>\n",
			x + wide / 2, scale.bottom + 17, group->label);
		for (i = bars = 0; i < COLOURS; i++)
			bars += look_up(group, i, &value);
		x += wide * 0.05;
		for (i = 0; i < COLOURS; i++) {
			if (!look_up(group, i, &value))
				continue;
			draw_bar(out, &scale, &value, colours[i].fill, x, wide * 0.9 / bars);
			x += wide * 0.9 / bars;
		}
	}
}

/* Is the system in the picture? */
static bool shown(const struct picture *picture, size_t system)
{
	struct bench_value value;
	size_t i, j;

	for (i = 0; i < PANELS_MAX; i++)
		for (j = 0; j < GROUPS_MAX && picture->panel[i].group[j].name; j++)
			if (look_up(&picture->panel[i].group[j], system, &value))
				return true;
	return false;
}

static void draw_legend(FILE *out, const struct picture *picture)
{
	double x = LEFT, y = 36, wide;
	size_t i;

	fprintf(out, "<text x='%.0f' y='22' font-size='17'>%s</text>\n", LEFT, picture->title);
	for (i = 0; i < COLOURS; i++) {
		if (!shown(picture, i))
			continue;
		wide = 30 + 12 * LETTER * strlen(colours[i].system);
		if (x + wide > WIDTH) {
			x = LEFT;
			y += LEGEND_LINE;
		}
		fprintf(out,
			"<rect x='%.0f' y='%.0f' width='11' height='11' fill='%s'/>"
			"<text x='%.0f' y='%.0f'>%s</text>\n",
			x, y, colours[i].fill, x + 15, y + 10, colours[i].system);
		x += wide;
	}
}

static int draw(const struct picture *picture, const char *directory)
{
	unsigned int i, panels = 0;
	double height;
	char path[512];
	FILE *out;

	while (panels < PANELS_MAX && picture->panel[panels].axis)
		panels++;
	height = TOP + panels * PANEL;
	snprintf(path, sizeof(path), "%s/%s", directory, picture->file);
	out = fopen(path, "we");
	if (!out)
		return -errno;
	fprintf(out,
		"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %.0f %.0f' "
		"font-family='sans-serif' font-size='12'>\n"
		"<rect width='100%%' height='100%%' fill='white'/>\n",
		WIDTH, height);
	draw_legend(out, picture);
	for (i = 0; i < panels; i++)
		draw_panel(out, &picture->panel[i], TOP + i * PANEL);
	fprintf(out, "</svg>\n");
	return fclose(out) ? -errno : 0;
}

static bool anything(const struct picture *picture)
{
	size_t i;

	for (i = 0; i < COLOURS; i++)
		if (shown(picture, i))
			return true;
	return false;
}

int bench_pictures(const char *directory)
{
	size_t i;
	int err = 0;

	for (i = 0; !err && i < sizeof(pictures) / sizeof(pictures[0]); i++)
		if (anything(&pictures[i]))
			err = draw(&pictures[i], directory);
	return err;
}

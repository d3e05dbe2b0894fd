/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * main.c - feed random schedules to the model and to the real program until they differ.
 *
 *	model [-f FAMILY] [-n SCHEDULES] [-t SECONDS] [-s SEED] [-w FILE.pcap] [-l]
 *
 * -f  only this family [all]
 * -n  schedules in all [10100]; with -f, of this family
 * -t  go on for so many seconds, families in turn, with a line of progress (0: until Ctrl-C)
 * -s  seed of the first schedule [1]
 * -w  write the packets of the shortest list that shows a difference there
 * -l  list families; with -f and -s, print the schedule
 *
 * Prints "ok model_FAMILY N schedules [IDS]" for each family, or "not ok ..." with the shortest
 *list of packets that shows the difference, its seed, and the command that repeats it. Exit code 0
 *if nothing differed, 1 if something did, 2 usage, 77 no permission.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../prog/out.h"
#include "pair.h"
#include "shrink.h"

static struct {
	const struct family *family;
	const char *pcap;
	uint64_t seed;
	unsigned long schedules;
	long seconds; /* -1: by number of schedules */
	bool list;
} options = {.seed = 1, .schedules = 10100, .seconds = -1};

static struct schedule schedule;
static uint64_t all_schedules, all_steps, all_unsure;
#define FAMILIES 64
static uint64_t done[FAMILIES], too_close[FAMILIES]; /* schedules of each family */
#define PER_ROUND 200 /* schedules of each family with one context, in `run_on` */
static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	stop = 1;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

/* ---- a difference ---- */

/* The schedules that the context has run, of which the last ones may matter. */
static struct {
	const struct family *family;
	uint64_t seed;
} history[16];
static uint64_t ran; /* in this context */

/*
 * Shorten `schedule`: alone, or with ever more of what ran before it in front. Returns how many
 * trials that took, 0 if no difference was seen again.
 */
static unsigned shorten(struct driver *d)
{
	static struct schedule before;
	uint64_t back, most = ran < 16 ? ran : 16;
	unsigned tried = shrink(d, &schedule);

	for (back = 2; !tried && back <= most; back++) {
		schedule_make(&before, history[(ran - back) % 16].family,
			      history[(ran - back) % 16].seed);
		if (!schedule_prepend(&schedule, &before))
			break;
		if ((back & (back - 1)) == 0 || back == most)
			tried = shrink(d, &schedule);
	}
	return tried;
}

static void report(struct driver *d, const struct family *family, uint64_t seed, uint64_t run)
{
	char first[sizeof(d->why)];
	size_t steps = schedule.steps;
	unsigned tried;

	memcpy(first, d->why, sizeof(first));
	if (options.seconds >= 0) /* behind the line of progress */
		printf("\n");
	tried = shorten(d);
	printf("not ok model_%s [%s]: schedule %" PRIu64 ": %s\n", family->name, family->ids, run,
	       tried ? d->why : first);
	printf("#  seed %" PRIu64 ", %zu steps, shortened to %zu in %u trials; at step %zu:\n",
	       seed, steps, schedule.steps, tried, d->at);
	if (tried)
		schedule_print(&schedule, stdout);
	else
		printf("#  not seen again in a fresh context: what ran before it matters\n");
	printf("#  again: build/tests/model -f %s -n 1 -s %" PRIu64 ", or all that ran: -s %" PRIu64
	       "\n",
	       family->name, seed, options.seed);
	if (options.pcap && schedule_pcap(&schedule, options.pcap))
		fprintf(stderr, "model: write %s: %s\n", options.pcap, strerror(errno));
}

/* ---- running ---- */

/* The seed of the n-th schedule that is for a setup; the first is `from` itself, if it is. */
static uint64_t seed_at(uint64_t from, uint64_t n)
{
	struct rng r = {.state = from ^ n << 32};

	return n ? rng_next(&r) : from;
}

/* Op-codes and reasons seen in all: what never was has not been tried. */
static uint64_t seen[sizeof(struct xp_counters) / sizeof(uint64_t)];

static void close_driver(struct driver *d)
{
	size_t i;

	for (i = 0; i < sizeof(seen) / sizeof(seen[0]); i++)
		seen[i] += ((uint64_t *)&d->m.counters)[i];
	driver_close(d);
}

static void print_seen(void)
{
	size_t i;

	printf("# seen:");
	for (i = 0; i < XP_OPCODE_COUNT + XP_REASON_COUNT; i++)
		if (seen[i])
			printf(" %s %" PRIu64,
			       i < XP_OPCODE_COUNT ? xdplace_opcode_name(i)
						   : xdplace_reason_name(i - XP_OPCODE_COUNT),
			       seen[i]);
	printf("\n# never:");
	for (i = 0; i < XP_OPCODE_COUNT + XP_REASON_COUNT; i++)
		if (!seen[i])
			printf(" %s", i < XP_OPCODE_COUNT
					      ? xdplace_opcode_name(i)
					      : xdplace_reason_name(i - XP_OPCODE_COUNT));
	printf("\n");
}

static int open_for(struct driver *d, const struct setup *setup)
{
	int err;

	if (d->ctx && d->setup == setup)
		return 0;
	close_driver(d);
	ran = 0;
	err = driver_open(d, setup);
	if (err)
		fprintf(stderr, "model: %s\n", d->why);
	return err;
}

/* 0 the same or not to be told, 1 different, -errno. */
static int run_one(struct driver *d, const struct family *family, uint64_t seed, uint64_t run)
{
	enum driver_result result;
	int err = open_for(d, schedule_setup(family, seed));

	if (err)
		return err;
	schedule_make(&schedule, family, seed);
	history[ran % 16].family = family;
	history[ran++ % 16].seed = seed;
	result = driver_run(d, &schedule);
	all_schedules++;
	all_steps += schedule.steps;
	if (result == DRIVER_SAME)
		return 0;
	if (result == DRIVER_DIFFERENT)
		report(d, family, seed, run);
	else
		all_unsure++;
	close_driver(d);
	return result == DRIVER_DIFFERENT;
}

/* The setups of all families, each once. */
static size_t distinct_setups(const struct setup **setups, size_t room)
{
	const struct family *family;
	size_t n = 0, i, k;

	for (family = families; family->name; family++)
		for (i = 0; i < SETUPS && family->setups[i]; i++) {
			for (k = 0; k < n && setups[k] != family->setups[i]; k++)
				;
			if (k == n && n < room)
				setups[n++] = family->setups[i];
		}
	return n;
}

static bool possible(const struct family *family)
{
	return !family->setups[0]->pair || pair_possible();
}

static bool chosen(const struct family *family)
{
	return (!options.family || options.family == family) && possible(family);
}

/* Shares are those of all, whatever they come to together. */
static uint64_t share_of(const struct family *family)
{
	const struct family *f;
	unsigned all = 0;

	for (f = families; f->name; f++)
		all += f->share;
	return options.family ? options.schedules : options.schedules * family->share / all;
}

/* Those of a family's schedules that are for a setup. */
static int run_share(struct driver *d, size_t number, const struct setup *setup)
{
	const struct family *family = &families[number];
	uint64_t count = share_of(family), i, unsure = all_unsure;
	int r = 0;

	for (i = 0; i < count && !r && !stop; i++) {
		if (schedule_setup(family, seed_at(options.seed, i)) != setup)
			continue;
		r = run_one(d, family, seed_at(options.seed, i), ++done[number]);
	}
	too_close[number] += all_unsure - unsure;
	return r;
}

static void print_results(const bool *failed)
{
	size_t i;

	for (i = 0; families[i].name; i++) {
		if (!possible(&families[i]))
			printf("skip model_%s # needs two CPUs\n", families[i].name);
		if (!chosen(&families[i]) || failed[i])
			continue;
		printf("ok model_%s %" PRIu64 " schedules [%s]", families[i].name, done[i],
		       families[i].ids);
		if (too_close[i])
			printf(" # %" PRIu64 " too close to call", too_close[i]);
		printf("\n");
	}
}

/* So many schedules of each family. Loading takes long: all that one setup has to do is together.
 */
static int run_all(void)
{
	const struct setup *setups[64];
	size_t i, k, n = distinct_setups(setups, 64);
	static bool failed[FAMILIES];
	static struct driver d;
	int r, any = 0;

	for (i = 0; i < n && !stop; i++)
		for (k = 0; families[k].name && !stop; k++) {
			if (failed[k] || !chosen(&families[k]))
				continue;
			r = run_share(&d, k, setups[i]);
			if (r < 0)
				return r;
			failed[k] = r;
			any |= r;
		}
	close_driver(&d);
	print_results(failed);
	return any;
}

/* ---- running on ---- */

static void progress(uint64_t turn, double start)
{
	printf("\r# %" PRIu64 " schedules, %" PRIu64 " packets and commands, %.0f s, round %" PRIu64
	       " from seed %" PRIu64 " ",
	       all_schedules, all_steps, now() - start, turn, options.seed);
	fflush(stdout);
}

/*
 * One setup at a time, all its families in turn; each round with seeds of its own. Until something
 * differs, time is up, or somebody has had enough.
 */
static int run_on(void)
{
	double start = now(), end = options.seconds ? start + options.seconds : 1e18, told = 0;
	uint64_t base = options.seed, turn, i, seed;
	const struct setup *setups[64];
	size_t k, n = distinct_setups(setups, 64);
	static struct driver d;
	int r = 0;

	for (turn = 0; !r && !stop && now() < end; turn++)
		for (i = 0; i < PER_ROUND && !r && !stop && now() < end; i++)
			for (k = 0; families[k].name && !r && !stop; k++) {
				seed = seed_at(base + turn * n, i);
				if (!chosen(&families[k]) ||
				    schedule_setup(&families[k], seed) != setups[turn % n])
					continue;
				r = run_one(&d, &families[k], seed, all_schedules + 1);
				if (now() > told + 1) {
					progress(turn, start);
					told = now();
				}
			}
	close_driver(&d);
	progress(turn, start);
	printf("\n");
	return r;
}

/* ---- options ---- */

static int usage(void)
{
	fprintf(stderr, "usage: model [-f FAMILY] [-n SCHEDULES] [-t SECONDS] [-s SEED] "
			"[-w FILE.pcap] [-l]\n");
	return 2;
}

static int find_family(const char *name)
{
	const struct family *family;

	for (family = families; family->name; family++)
		if (!strcmp(family->name, name))
			options.family = family;
	if (!options.family)
		fprintf(stderr, "model: no family '%s': see model -l\n", name);
	return options.family ? 0 : -1;
}

static int read_options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "f:n:t:s:w:l")) >= 0) {
		if (c == 'f' && find_family(optarg))
			return -1;
		if (c == 'n')
			options.schedules = strtoul(optarg, NULL, 0);
		if (c == 't')
			options.seconds = strtol(optarg, NULL, 0);
		if (c == 's')
			options.seed = strtoull(optarg, NULL, 0);
		if (c == 'w')
			options.pcap = optarg;
		if (c == 'l')
			options.list = true;
		if (c == '?')
			return usage() - 3;
	}
	return optind == argc ? 0 : usage() - 3;
}

static int list(void)
{
	const struct family *family;

	if (options.family) {
		schedule_make(&schedule, options.family, options.seed);
		schedule_print(&schedule, stdout);
		if (options.pcap)
			return schedule_pcap(&schedule, options.pcap) ? 1 : 0;
		return 0;
	}
	for (family = families; family->name; family++)
		printf("%s [%s]\n", family->name, family->ids);
	return 0;
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_signal};
	double start = now();
	int r;

	if (read_options(argc, argv))
		return 2;
	if (options.list)
		return list();
	r = out_open();
	if (r) {
		fprintf(stderr, "model: namespace, tap, packet socket: %s\n", strerror(-r));
		return r == -EPERM ? 77 : 1;
	}
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	r = options.seconds < 0 ? run_all() : run_on();
	print_seen();
	printf("# %" PRIu64 " schedules, %" PRIu64 " steps, %.1f s, seed %" PRIu64 "\n",
	       all_schedules, all_steps, now() - start, options.seed);
	return r < 0 ? (r == -EPERM ? 77 : 1) : r;
}

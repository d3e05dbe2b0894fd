/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * options.c - options and their values. In: argv and sets of options. Out: calls of the sets'
 * functions, help made from the same sets, or the end of the process with a message.
 */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define MAX_SETS 8
#define MAX_OPTIONS 96
#define LONG_VALUE 1000 /* getopt's values for long options: beyond any letter */

struct cli cli;

static void set_common(void *to, int key, const char *argument)
{
	switch (key) {
	case 'n':
	case 'p':
		cli.context = argument;
		break;
	case 'j':
		cli.json = true;
		break;
	case 'v':
		cli.verbose++;
		break;
	}
}

/* -h is handled in here: it needs all sets. */
static const struct cli_option common_options[] = {
	{"context", 'n', "NAME", "the context meant, if there are several"},
	{"pin", 'p', "NAME", "the same as --context"},
	{"json", 'j', NULL, "print JSON"},
	{"verbose", 'v', NULL, "say more; twice: messages of library and libbpf"},
	{"help", 'h', NULL, "this help"},
	{NULL, 0, NULL, NULL},
};

/* All sets of a verb, flat, in the order in which names are looked up. */
struct parser {
	struct cli_set sets[MAX_SETS];
	size_t set_count;
	const struct cli_option *options[MAX_OPTIONS];
	size_t set_of[MAX_OPTIONS];
	size_t count;
	struct option longs[MAX_OPTIONS + 1];
	char letters[2 * MAX_OPTIONS + 2];
};

/* Which option has this letter? The first set that knows it. */
static int find_letter(const struct parser *parser, int letter)
{
	size_t i;

	for (i = 0; i < parser->count; i++)
		if (parser->options[i]->key == letter)
			return (int)i;
	return -1;
}

static int find_name(const struct parser *parser, const char *name)
{
	size_t i;

	for (i = 0; i < parser->count; i++)
		if (!strcmp(parser->options[i]->name, name))
			return (int)i;
	return -1;
}

static void add_letter(struct parser *parser, const struct cli_option *option)
{
	char *end = parser->letters + strlen(parser->letters);

	*end++ = (char)option->key;
	if (option->argument)
		*end++ = ':';
	*end = '\0';
}

/* An option whose name an earlier set has is left out; one whose letter is taken loses it. */
static void add_option(struct parser *parser, const struct cli_option *option, size_t set)
{
	size_t i = parser->count;

	if (i == MAX_OPTIONS || find_name(parser, option->name) >= 0)
		return;
	if (option->key < CLI_LONG && find_letter(parser, option->key) < 0)
		add_letter(parser, option);
	parser->options[i] = option;
	parser->set_of[i] = set;
	parser->longs[i] =
		(struct option){.name = option->name,
				.has_arg = option->argument ? required_argument : no_argument,
				.val = LONG_VALUE + (int)i};
	parser->count++;
}

static void build(struct parser *parser, const struct cli_set *sets, size_t count)
{
	const struct cli_option *option;
	size_t i;

	memset(parser, 0, sizeof(*parser));
	for (i = 0; i < count && i < MAX_SETS - 1; i++)
		parser->sets[parser->set_count++] = sets[i];
	parser->sets[parser->set_count++] = (struct cli_set){
		.options = common_options, .set = set_common, .title = "Common options"};
	parser->letters[0] = ':'; /* tell a missing argument from an unknown option */
	for (i = 0; i < parser->set_count; i++)
		for (option = parser->sets[i].options; option->name; option++)
			add_option(parser, option, i);
}

static void print_forms(const char *operands)
{
	const char *line = operands, *end;
	const char *lead = "Usage:";

	do {
		end = strchrnul(line, '\n');
		printf("%s xdplace %s%s%.*s\n", lead, cli.verb->name, end > line ? " " : "",
		       (int)(end - line), line);
		lead = "      ";
		line = end + 1;
	} while (*end);
}

static void print_option(const struct parser *parser, size_t i)
{
	const struct cli_option *option = parser->options[i];
	char name[64];

	snprintf(name, sizeof(name), "%s%s%s", option->name, option->argument ? " " : "",
		 option->argument ? option->argument : "");
	if (option->key < CLI_LONG && find_letter(parser, option->key) == (int)i)
		printf("  -%c, --%-22s  %s\n", option->key, name, option->help);
	else
		printf("      --%-22s  %s\n", name, option->help);
}

static _Noreturn void print_help(const struct parser *parser)
{
	size_t i, set = MAX_SETS;
	const char *title;

	print_forms(cli.verb->operands);
	printf("%c%s.\n", toupper((unsigned char)cli.verb->summary[0]), cli.verb->summary + 1);
	if (cli.verb->detail)
		printf("\n%s\n", cli.verb->detail);
	for (i = 0; i < parser->count; i++) {
		if (!parser->options[i]->help)
			continue;
		if (parser->set_of[i] != set) {
			set = parser->set_of[i];
			title = parser->sets[set].title;
			printf("\n%s:\n", title ? title : "Options");
		}
		print_option(parser, i);
	}
	exit(cli_finish(CLI_DONE));
}

/* How many options does this beginning of a name fit? word: "--na" or "--na=value". */
static size_t count_matches(const struct parser *parser, const char *word)
{
	size_t length = strcspn(word + 2, "="), matches = 0, i;

	for (i = 0; i < parser->count; i++)
		matches += !strncmp(parser->options[i]->name, word + 2, length);
	return matches;
}

/* What getopt complains of: ':' a missing argument, '?' a name it can't make sense of. */
static _Noreturn void complain(const struct parser *parser, int c, const char *word)
{
	if (c == ':')
		cli_usage("option '%s' needs an argument", word);
	if (optopt > 0 && optopt < CLI_LONG)
		cli_usage("no option '-%c'", optopt);
	if (optopt >= LONG_VALUE)
		cli_usage("option '%s' takes no argument", word);
	if (count_matches(parser, word) > 1)
		cli_usage("option '%s' may be several: write more of it", word);
	cli_usage("no option '%s'", word);
}

int cli_parse(int argc, char **argv, const struct cli_set *sets, size_t count)
{
	const struct cli_option *option;
	struct parser parser;
	int c, i;

	build(&parser, sets, count);
	opterr = 0;
	optind = 0;
	for (;;) {
		c = getopt_long(argc, argv, parser.letters, parser.longs, NULL);
		if (c < 0)
			return optind;
		if (c == ':' || c == '?')
			complain(&parser, c, argv[optind - 1]);
		i = c >= LONG_VALUE ? c - LONG_VALUE : find_letter(&parser, c);
		option = parser.options[i];
		if (parser.set_of[i] == parser.set_count - 1 && option->key == 'h')
			print_help(&parser);
		parser.sets[parser.set_of[i]].set(parser.sets[parser.set_of[i]].to, option->key,
						  optarg);
	}
}

static bool parse_number(const char *text, char **end, uint64_t *value)
{
	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	*value = strtoull(text, end, 0);
	return !errno;
}

uint64_t cli_number(const char *option, const char *text, uint64_t min, uint64_t max)
{
	uint64_t value;
	char *end;

	if (!parse_number(text, &end, &value) || *end)
		cli_usage("%s '%s': a number is wanted", option, text);
	if (value < min || value > max)
		cli_usage("%s %s: must be %" PRIu64 " to %" PRIu64, option, text, min, max);
	return value;
}

/* 0, 10, 20, 30, or -1 where the suffix is none of ours. */
static int suffix_shift(const char *suffix)
{
	static const char *const names[] = {"kib", "mib", "gib"};
	size_t i;

	if (!*suffix)
		return 0;
	for (i = 0; i < 3; i++)
		if (!strncasecmp(suffix, names[i], 1) &&
		    (!suffix[1] || !strcasecmp(suffix, names[i])))
			return 10 * ((int)i + 1);
	return -1;
}

uint64_t cli_size(const char *option, const char *text)
{
	uint64_t value;
	char *end;
	int shift;

	if (!parse_number(text, &end, &value))
		cli_usage("%s '%s': a size is wanted, such as 4096, 64K, 64M or 1G", option, text);
	shift = suffix_shift(end);
	if (shift < 0 || value > UINT64_MAX >> shift)
		cli_usage("%s '%s': a size is wanted, such as 4096, 64K, 64M or 1G", option, text);
	return value << shift;
}

uint32_t cli_size32(const char *option, const char *text)
{
	uint64_t value = cli_size(option, text);

	if (value > UINT32_MAX)
		cli_usage("%s %s: must be below 4G", option, text);
	return (uint32_t)value;
}

uint32_t cli_age(const char *option, const char *text)
{
	static const struct {
		const char *unit;
		uint64_t ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"", 1000}, {"m", 60000}, {"h", 3600000}};
	uint64_t value;
	char *end;
	size_t i;

	if (!strcmp(text, "never"))
		return UINT32_MAX;
	if (!parse_number(text, &end, &value))
		cli_usage("%s '%s': a time is wanted, such as 500ms, 30s, 5m or never", option,
			  text);
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcmp(end, units[i].unit))
			break;
	if (i == sizeof(units) / sizeof(units[0]))
		cli_usage("%s '%s': a time is wanted, such as 500ms, 30s, 5m or never", option,
			  text);
	if (!value || value > (UINT32_MAX - 1) / units[i].ms)
		cli_usage("%s %s: must be 1ms to 1193h, or never", option, text);
	return (uint32_t)(value * units[i].ms);
}

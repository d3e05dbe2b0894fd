/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * verb_doctor.c - what this kernel and these interfaces can do. In: interfaces (none: all but the
 * loopback). Out: one line a check, what to change below it; 3 if something needed is missing.
 */
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

#define MAX_CHECKS 64

static const char *state_name(enum xdplace_check_state state)
{
	static const char *const names[] = {
		[XDPLACE_CHECK_OK] = "ok",
		[XDPLACE_CHECK_WARN] = "warn",
		[XDPLACE_CHECK_FAIL] = "FAIL",
	};

	return names[state];
}

/* state: in JSON all of it is lower case. */
static void put(struct json_object *array, const char *name, const char *state, const char *detail,
		const char *remedy)
{
	struct json_object *object = json_add_object(NULL, NULL);

	json_add_string(object, "name", name);
	json_add_string(object, "state", strcmp(state, "FAIL") ? state : "fail");
	json_add_string(object, "detail", detail);
	json_add_string(object, "remedy", remedy[0] ? remedy : NULL);
	json_append(array, object);
	if (cli.json)
		return;
	printf("%-4s  %-24s %s\n", state, name, detail);
	if (remedy[0])
		printf("      %-24s -> %s\n", "", remedy);
}

static bool check_kernel(struct json_object *array)
{
	struct xdplace_check checks[MAX_CHECKS];
	int i, count = xdplace_check_kernel(checks, MAX_CHECKS);
	bool good = true;

	for (i = 0; i < count && i < MAX_CHECKS; i++) {
		put(array, checks[i].name, state_name(checks[i].state), checks[i].detail,
		    checks[i].remedy);
		good = good && checks[i].state != XDPLACE_CHECK_FAIL;
	}
	return good;
}

static void put_finding(struct json_object *array, const char *name,
			const struct xdplace_finding *finding)
{
	enum xdplace_check_state state = XDPLACE_CHECK_WARN;

	if (finding->fatal)
		state = XDPLACE_CHECK_FAIL;
	put(array, name, finding->note ? "note" : state_name(state), finding->what,
	    finding->remedy);
}

/* The exit code. */
static int check_interface(struct json_object *document, const char *name, enum xdplace_mode mode)
{
	struct xdplace_finding findings[MAX_CHECKS];
	int i, count = xdplace_check_interface(name, mode, findings, MAX_CHECKS);
	int code = CLI_DONE;
	struct json_object *array;

	if (count < 0)
		return cli_error(count, "check %s", name);
	array = json_add_array(document, name);
	for (i = 0; i < count && i < MAX_CHECKS; i++) {
		put_finding(array, name, &findings[i]);
		if (findings[i].fatal)
			code = CLI_UNSUPPORTED;
	}
	if (!count)
		put(array, name, state_name(XDPLACE_CHECK_OK), "nothing in the way", "");
	return code;
}

static void check_all_interfaces(struct json_object *document, enum xdplace_mode mode)
{
	struct if_nameindex *all = if_nameindex(), *one;

	for (one = all; one && one->if_index; one++)
		if (strcmp(one->if_name, "lo"))
			check_interface(document, one->if_name, mode);
	if (all)
		if_freenameindex(all);
}

static void set_mode(void *to, int key, const char *argument)
{
	enum xdplace_mode *mode = to;

	if (key != 'm')
		cli_usage("it is about this machine, not about a context");
	*mode = strcmp(argument, "skb") ? XDPLACE_NATIVE : XDPLACE_SKB;
	if (strcmp(argument, "skb") && strcmp(argument, "native"))
		cli_usage("--mode '%s': must be native or skb", argument);
}

int verb_doctor(int argc, char **argv)
{
	static const struct cli_option options[] = {
		{"mode", 'm', "MODE", "check interfaces for native (default) or skb"},
		{"context", 'n', "NAME", NULL},
		{"pin", 'p', "NAME", NULL},
		{NULL, 0, NULL, NULL},
	};
	struct json_object *document = json_add_object(NULL, NULL), *interfaces;
	enum xdplace_mode mode = XDPLACE_NATIVE;
	struct cli_set sets[] = {{options, set_mode, &mode, NULL}};
	int i, one, code, first = cli_parse(argc, argv, sets, 1);

	code = check_kernel(json_add_array(document, "kernel")) ? CLI_DONE : CLI_UNSUPPORTED;
	interfaces = json_add_object(document, "interfaces");
	for (i = first; i < argc; i++) {
		one = check_interface(interfaces, argv[i], mode);
		code = code ? code : one;
	}
	if (first == argc)
		check_all_interfaces(interfaces, mode);
	if (cli.json)
		json_print(document);
	return code;
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * verb_rule.c - the rules of a context. In: list, add RULE, del ID. Out: the rules, the id of the
 * new one. Several words are one rule: quotes around it are allowed, not needed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static int list(struct xdplace *ctx)
{
	struct json_object *document = json_add_object(NULL, NULL), *array;
	struct xp_rule rules[XP_MAX_RULES];
	int i, count = xdplace_rules(ctx, rules, XP_MAX_RULES);
	char text[256];

	if (count < 0)
		return cli_error(count, "read the rules");
	array = json_add_array(document, "rules");
	for (i = 0; i < count; i++)
		json_append(array, json_rule(&rules[i]));
	if (cli.json) {
		json_print(document);
		return CLI_DONE;
	}
	if (!count)
		printf("no rule: every packet passes\n");
	else
		printf("%4s  %s\n", "ID", "RULE");
	for (i = 0; i < count; i++) {
		xdplace_rule_format(&rules[i], text, sizeof(text));
		printf("%4u  %s\n", rules[i].id, text);
	}
	return CLI_DONE;
}

static int add(struct xdplace *ctx, const char *text, const struct xp_rule *rule)
{
	struct json_object *document;
	int id = xdplace_rule_add(ctx, rule);

	if (id < 0)
		return cli_error(id, "add rule '%s'", text);
	if (cli.json) {
		document = json_add_object(NULL, NULL);
		json_add_u64(document, "id", (uint64_t)id);
		json_print(document);
	} else {
		printf("rule %d added\n", id);
	}
	return CLI_DONE;
}

static int del(struct xdplace *ctx, char **ids, int count)
{
	struct json_object *document = json_add_object(NULL, NULL), *deleted;
	int i, err, code = CLI_DONE;
	uint32_t id;

	deleted = json_add_array(document, "deleted");
	for (i = 0; i < count && !code; i++) {
		id = (uint32_t)cli_number("rule", ids[i], 1, UINT32_MAX);
		err = xdplace_rule_del(ctx, id);
		if (err) {
			code = cli_error(err, "delete rule %u", id);
			continue;
		}
		json_append(deleted, json_object_new_uint64(id));
		if (!cli.json)
			printf("rule %u deleted\n", id);
	}
	if (cli.json)
		json_print(document);
	return code;
}

static void set_force(void *to, int key, const char *argument)
{
	*(bool *)to = true;
}

static int add_words(char **words, int count, bool force)
{
	char *text = cli_join(words, count);
	struct xp_rule rule;

	if (!count)
		cli_usage("which rule? for example: tap stream tcp port 80");
	context_rule(text, &rule);
	context_keep_management(text, &rule, force);
	return add(cli_open(), text, &rule);
}

static int del_words(char **words, int count)
{
	int i;

	if (!count)
		cli_usage("which rule? 'xdplace rule list' shows the ids");
	for (i = 0; i < count; i++)
		cli_number("rule", words[i], 1, UINT32_MAX);
	return del(cli_open(), words, count);
}

int verb_rule(int argc, char **argv)
{
	static const struct cli_option options[] = {
		{"force", 'f', NULL, "even if the rule takes this machine's own ssh"},
		{NULL, 0, NULL, NULL},
	};
	bool force = false;
	struct cli_set sets[] = {{options, set_force, &force, NULL}};
	int first = cli_parse(argc, argv, sets, 1);
	const char *action = first < argc ? argv[first++] : "list";

	argv += first;
	argc -= first;
	if (!strcmp(action, "add"))
		return add_words(argv, argc, force);
	if (!strcmp(action, "del"))
		return del_words(argv, argc);
	if (strcmp(action, "list"))
		cli_usage("no action '%s': list, add or del", action);
	if (argc)
		cli_usage("'%s' is one word too many", argv[0]);
	return list(cli_open());
}

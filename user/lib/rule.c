/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rule.c - the list of rules: read, add, remove.
 *
 * A new list is written to the half of xp_rules that no packet reads, then the halves change
 * places. Writers of all processes take turns by a lock file.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "context.h"

struct rule_list {
	struct xp_settings settings;
	struct xp_rule rule[XP_MAX_RULES];
};

static int read_list(struct xdplace *ctx, struct rule_list *list)
{
	uint32_t key = 0, half;
	int err;

	memset(list, 0, sizeof(*list));
	err = bpf_map_lookup_elem(ctx->map[XP_MAP_SETTINGS], &key, &list->settings);
	if (!err) {
		half = list->settings.rule_half & 1;
		err = xp_map_read(ctx->map[XP_MAP_RULES], half * XP_MAX_RULES, XP_MAX_RULES,
				  list->rule, sizeof(list->rule[0]));
	}
	if (err)
		return xp_fail(-err, "read rules: %s", strerror(-err));
	if (list->settings.rule_count > XP_MAX_RULES)
		list->settings.rule_count = XP_MAX_RULES;
	return 0;
}

static int write_half(struct xdplace *ctx, uint32_t half, const struct xp_rule *rules)
{
	uint32_t i, keys[XP_MAX_RULES], count = XP_MAX_RULES;

	for (i = 0; i < count; i++)
		keys[i] = half * XP_MAX_RULES + i;
	return bpf_map_update_batch(ctx->map[XP_MAP_RULES], keys, rules, &count, NULL);
}

/*
 * The old half is cleared for the reader of a dump. A packet that began with it has had time to
 * finish; if one has not, it sees a shorter list once.
 */
static int write_list(struct xdplace *ctx, struct rule_list *list)
{
	static const struct xp_rule none[XP_MAX_RULES];
	uint32_t key = 0, old = list->settings.rule_half & 1;
	int err;

	err = write_half(ctx, !old, list->rule);
	list->settings.rule_half = !old;
	if (!err)
		err = bpf_map_update_elem(ctx->map[XP_MAP_SETTINGS], &key, &list->settings,
					  BPF_ANY);
	if (!err) {
		usleep(1000);
		err = write_half(ctx, old, none);
	}
	return err ? xp_fail(-err, "write rules: %s", strerror(-err)) : 0;
}

static int add(struct xdplace *ctx, const struct xp_rule *rule)
{
	struct rule_list list;
	struct xp_rule *entry;
	int err;

	err = read_list(ctx, &list);
	if (err)
		return err;
	if (list.settings.rule_count == XP_MAX_RULES)
		return xp_fail(ENOSPC, "add a rule: there are %u already, which is the most",
			       XP_MAX_RULES);
	entry = &list.rule[list.settings.rule_count++];
	*entry = *rule;
	entry->id = list.settings.next_rule++;
	err = write_list(ctx, &list);
	return err ? err : (int)entry->id;
}

static int del(struct xdplace *ctx, uint32_t id)
{
	struct rule_list list;
	uint32_t i, count;
	int err;

	err = read_list(ctx, &list);
	if (err)
		return err;
	count = list.settings.rule_count;
	for (i = 0; i < count && list.rule[i].id != id; i++)
		;
	if (i == count)
		return xp_fail(ENOENT, "remove rule %u: there is none of that number", id);
	memmove(&list.rule[i], &list.rule[i + 1], (count - i - 1) * sizeof(list.rule[0]));
	memset(&list.rule[count - 1], 0, sizeof(list.rule[0]));
	list.settings.rule_count--;
	return write_list(ctx, &list);
}

int xdplace_rule_add(struct xdplace *ctx, const struct xp_rule *rule)
{
	int lock, result;

	if (rule->verdict != XP_RULE_TAP && rule->verdict != XP_RULE_TAKE)
		return xp_fail(EINVAL, "add a rule: verdict %u is neither tap nor take",
			       rule->verdict);
	result = xp_check_slot(ctx, rule->rtp);
	if (result)
		return result;
	lock = xp_lock(ctx, "rules", true);
	if (lock < 0)
		return lock;
	result = add(ctx, rule);
	xp_unlock(ctx, "rules", lock);
	return result;
}

int xdplace_rule_del(struct xdplace *ctx, uint32_t id)
{
	int lock, result;

	lock = xp_lock(ctx, "rules", true);
	if (lock < 0)
		return lock;
	result = del(ctx, id);
	xp_unlock(ctx, "rules", lock);
	return result;
}

int xdplace_rules(struct xdplace *ctx, struct xp_rule *rules, size_t count)
{
	struct rule_list list;
	int err;

	err = read_list(ctx, &list);
	if (err)
		return err;
	if (count > list.settings.rule_count)
		count = list.settings.rule_count;
	memcpy(rules, list.rule, count * sizeof(*rules));
	return list.settings.rule_count;
}

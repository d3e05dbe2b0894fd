/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * verb_status.c - what is loaded. In: -n, or nothing: all contexts. Out: of each its interfaces,
 * memory, lanes with their consumers, flows; orphans are marked as such.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "lane_state.h"

#define MAX_INTERFACES 256
#define MAX_FOUND 1024

/* All that is shown of a context, collected before anything is printed. */
struct status {
	struct xdplace_found found;
	const struct xp_config *config;
	size_t umem_size;
	struct xdplace_interface interfaces[MAX_INTERFACES];
	int interface_count;
	struct lane_state lanes[XP_MAX_LANES];
	struct xdplace_audit audit;
	uint64_t flows[XP_FLOW_CLOSED + 1]; /* by state */
	int rules;
};

struct found_list {
	size_t count;
	struct xdplace_found list[MAX_FOUND];
};

static int collect_found(void *arg, const struct xdplace_found *found)
{
	struct found_list *all = arg;

	if (all->count == MAX_FOUND)
		return 1;
	if (!cli.context || !strcmp(cli.context, found->name))
		all->list[all->count++] = *found;
	return 0;
}

static int count_flow(void *arg, const struct xp_flow *flow)
{
	struct status *status = arg;

	if (flow->state <= XP_FLOW_CLOSED)
		status->flows[flow->state]++;
	return 0;
}

static void collect(struct xdplace *ctx, struct status *status)
{
	uint32_t lane;

	status->config = xdplace_config(ctx);
	xdplace_umem(ctx, &status->umem_size);
	status->interface_count = xdplace_interfaces(ctx, status->interfaces, MAX_INTERFACES);
	for (lane = 0; lane < status->config->lanes; lane++)
		lane_state(ctx, lane, &status->lanes[lane]);
	xdplace_audit(ctx, &status->audit);
	xdplace_flow_each(ctx, count_flow, status);
	status->rules = xdplace_rules(ctx, NULL, 0);
}

static struct json_object *json_lanes(const struct status *status)
{
	struct json_object *array = json_add_array(NULL, NULL), *object;
	const struct lane_state *state;
	uint32_t lane;

	for (lane = 0; lane < status->config->lanes; lane++) {
		state = &status->lanes[lane];
		object = json_add_object(NULL, NULL);
		json_add_u64(object, "lane", lane);
		json_add_u64(object, "ring", status->config->ring);
		json_add_u64(object, "waiting", state->waiting);
		json_add_u64(object, "free_hot", state->free_hot);
		json_add_u64(object, "free_cold", state->free_cold);
		if (state->consumer)
			json_add_u64(object, "consumer_pid", (uint64_t)state->consumer);
		else
			json_add_string(object, "consumer_pid", NULL);
		json_add_bool(object, "sleeping", state->sleeping);
		json_append(array, object);
	}
	return array;
}

static void json_umem(struct json_object *parent, const struct status *status)
{
	struct json_object *umem = json_add_object(parent, "umem"), *areas;
	int i;

	json_add_u64(umem, "size", status->umem_size);
	json_add_u64(umem, "area_size", 1ull << status->config->area_shift);
	json_add_u64(umem, "areas", status->config->areas);
	areas = json_add_object(umem, "states");
	for (i = 0; i < XDPLACE_AREA_STATES; i++)
		json_add_u64(areas, xdplace_area_state_name(i), status->audit.state[i]);
}

static void json_flows(struct json_object *parent, const struct status *status)
{
	struct json_object *flows = json_add_object(parent, "flows");

	json_add_u64(flows, "limit", (uint64_t)status->config->flows * status->config->lanes);
	json_add_u64(flows, "open", status->flows[XP_FLOW_OPEN]);
	json_add_u64(flows, "expected", status->flows[XP_FLOW_EXPECTED]);
	json_add_u64(flows, "closed", status->flows[XP_FLOW_CLOSED]);
}

static struct json_object *json_found(const struct xdplace_found *found)
{
	struct json_object *object = json_add_object(NULL, NULL);

	json_add_string(object, "name", found->name);
	json_add_bool(object, "pinned", found->pinned);
	json_add_bool(object, "pins_hidden", found->pins_hidden);
	json_add_bool(object, "orphan", found->orphan);
	json_add_bool(object, "leftover", found->leftover);
	json_add_u64(object, "prog_id", found->prog_id);
	return object;
}

/* Interfaces that are attached, but not to be seen in this network namespace. */
static uint32_t elsewhere(const struct status *status)
{
	uint32_t here = status->interface_count > 0 ? (uint32_t)status->interface_count : 0;

	return status->found.interfaces > here ? status->found.interfaces - here : 0;
}

static void json_status(struct json_object *object, const struct status *status)
{
	struct json_object *array = json_add_array(object, "interfaces");
	int i;

	for (i = 0; i < status->interface_count && i < MAX_INTERFACES; i++)
		json_append(array, json_interface(&status->interfaces[i]));
	json_add_u64(object, "interfaces_elsewhere", elsewhere(status));
	json_umem(object, status);
	json_object_object_add(object, "lanes", json_lanes(status));
	json_flows(object, status);
	json_add_u64(object, "rules", status->rules > 0 ? (uint64_t)status->rules : 0);
}

static void print_found(const struct xdplace_found *found)
{
	if (found->leftover) {
		printf("%s: LEFTOVER: its process was killed, its egress filters are left; "
		       "'xdplace clean' removes them\n",
		       found->name);
		return;
	}
	printf("%s: %s", found->name, found->pinned ? "pinned" : "held by a running process");
	if (found->pins_hidden)
		printf(", or pinned in another mount namespace");
	if (found->prog_id)
		printf(", program id %u", found->prog_id);
	if (found->orphan)
		printf(", ORPHAN: attached nowhere; 'xdplace clean' removes it");
	printf("\n");
}

static void print_memory(const struct status *status)
{
	char umem[16], area[16];

	printf("  UMEM %s in %u areas of %s: %u free, %u placing, %u with consumers\n",
	       cli_human(status->umem_size, umem, sizeof(umem)), status->config->areas,
	       cli_human(1ull << status->config->area_shift, area, sizeof(area)),
	       status->audit.state[XDPLACE_AREA_FREE], status->audit.state[XDPLACE_AREA_PLACING],
	       status->audit.state[XDPLACE_AREA_CONSUMER]);
	if (status->audit.state[XDPLACE_AREA_LOST] || status->audit.state[XDPLACE_AREA_TWICE])
		printf("  %u areas lost, %u twice: see 'xdplace area audit'\n",
		       status->audit.state[XDPLACE_AREA_LOST],
		       status->audit.state[XDPLACE_AREA_TWICE]);
}

static void print_interfaces(const struct status *status)
{
	int i;

	for (i = 0; i < status->interface_count && i < MAX_INTERFACES; i++) {
		printf("  interface ");
		context_print_interface(&status->interfaces[i]);
	}
	if (elsewhere(status))
		printf("  %u interface%s in another network namespace\n", elsewhere(status),
		       elsewhere(status) == 1 ? "" : "s");
	else if (!status->interface_count)
		printf("  no interface\n");
}

static void print_lanes(const struct status *status)
{
	const struct lane_state *state;
	uint32_t lane;

	for (lane = 0; lane < status->config->lanes; lane++) {
		state = &status->lanes[lane];
		printf("  lane %u: %u of %u completions waiting, ", lane, state->waiting,
		       status->config->ring);
		if (state->consumer)
			printf("consumer pid %d%s\n", (int)state->consumer,
			       state->sleeping ? ", asleep" : "");
		else
			printf("no consumer\n");
	}
}

static void print_status(const struct status *status)
{
	print_interfaces(status);
	print_memory(status);
	print_lanes(status);
	printf("  flows: %" PRIu64 " open, %" PRIu64 " expected, %" PRIu64 " closed, of %" PRIu64
	       "; rules: %d\n",
	       status->flows[XP_FLOW_OPEN], status->flows[XP_FLOW_EXPECTED],
	       status->flows[XP_FLOW_CLOSED],
	       (uint64_t)status->config->flows * status->config->lanes,
	       status->rules > 0 ? status->rules : 0);
}

/* A context that can't be opened (another version, no permission) is still listed. */
static int show(const struct xdplace_found *found, struct json_object *array)
{
	struct xdplace *ctx =
		found->leftover ? NULL : xdplace_open_existing(found->name, cli_log, NULL);
	struct json_object *object;
	static struct status status;
	int code = CLI_DONE;

	/* Its process has ended since it was found: then it is no more. */
	if (!ctx && !found->leftover && errno == ENOENT && !cli.context)
		return CLI_DONE;
	object = json_found(found);
	memset(&status, 0, sizeof(status));
	status.found = *found;
	if (!cli.json)
		print_found(found);
	if (ctx) {
		collect(ctx, &status);
		json_status(object, &status);
		if (!cli.json)
			print_status(&status);
	} else if (!found->leftover) {
		code = cli_error(-errno, "open context '%s'", found->name);
		json_add_string(object, "error", xdplace_error());
	}
	json_append(array, object);
	xdplace_close(ctx);
	return code;
}

int verb_status(int argc, char **argv)
{
	struct json_object *document, *array;
	static struct found_list found;
	int code, one, err;
	size_t i;

	if (cli_parse(argc, argv, NULL, 0) < argc)
		cli_usage("status takes no operand; name a context with -n");
	err = xdplace_each(collect_found, &found);
	code = err < 0 ? cli_error(err, "look for contexts") : CLI_DONE;
	if (code && !found.count)
		return code;
	if (cli.context && !found.count) {
		cli_warn("no context '%s'", cli.context);
		return CLI_NOT_FOUND;
	}
	document = json_add_object(NULL, NULL);
	array = json_add_array(document, "contexts");
	for (i = 0; i < found.count; i++) {
		one = show(&found.list[i], array);
		code = code ? code : one;
	}
	if (cli.json)
		json_print(document);
	else if (!found.count)
		printf("no context is loaded\n");
	return code;
}

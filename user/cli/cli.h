/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * cli.h - what the verbs of xdplace share: exit codes, options, messages, JSON, contexts.
 *
 * A verb is a function like main(): argv[0] is its own name, what it returns is the exit code.
 * Functions marked noreturn end the process with the right exit code after saying why on stderr;
 * a process needs no tidying up, since links that are not pinned end with it.
 *
 * Results go to stdout, everything else to stderr. A reader that closes stdout is no failure.
 */
#ifndef CLI_H
#define CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

#include <xdplace/xdplace.h>

/* Exit codes, documented in xdplace(8): published, never reused with another meaning. */
enum cli_exit {
	CLI_DONE,
	CLI_FAILED,	 /* at run time */
	CLI_USAGE,	 /* wrong option, operand, rule, size */
	CLI_UNSUPPORTED, /* this kernel, driver or version can't */
	CLI_BUSY,	 /* somebody else has it: program attached, pin taken, lane consumed */
	CLI_PERMISSION,
	CLI_NOT_FOUND, /* no such context, flow, rule: not loaded */
};

/* ---- verbs (main.c) ---- */

struct cli_verb {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *operands; /* forms of use, one a line, without program and verb */
	const char *summary;  /* one line, for the list of verbs */
	const char *detail;   /* more for its own help, NULL: none */
};

int verb_load(int argc, char **argv);
int verb_unload(int argc, char **argv);
int verb_clean(int argc, char **argv);
int verb_status(int argc, char **argv);
int verb_rule(int argc, char **argv);
int verb_flow(int argc, char **argv);
int verb_area(int argc, char **argv);
int verb_stats(int argc, char **argv);
int verb_watch(int argc, char **argv);
int verb_top(int argc, char **argv);
int verb_follow(int argc, char **argv);
int verb_send(int argc, char **argv);
int verb_doctor(int argc, char **argv);

/* ---- options (options.c) ---- */

/* `key`: its letter, or for an option without one a number from CLI_LONG on, unique in its set. */
#define CLI_LONG 256
struct cli_option {
	const char *name;
	int key;
	const char *argument; /* NULL: takes none */
	const char *help;     /* NULL: known, to be refused in better words, but not listed */
};

/* A list of options (ended by name NULL) and who is told of them. */
struct cli_set {
	const struct cli_option *options;
	void (*set)(void *to, int key, const char *argument);
	void *to;
	const char *title; /* over these options in the help; NULL: "Options" */
};

/*
 * Parse the options of a verb: those of `sets` (the first that knows a name has it), then the
 * common ones, which land in `cli`. Returns the index of the first operand in argv; options may
 * stand among operands. Ends the process for --help and for what it does not know.
 */
int cli_parse(int argc, char **argv, const struct cli_set *sets, size_t count);

/* The common options, and which verb is running. */
struct cli {
	const struct cli_verb *verb;
	const char *context; /* -n; NULL: the only one there is */
	bool json;
	int verbose;
};
extern struct cli cli;

/* Values of options; `option` is "--umem-size", for the message. All end the process if bad. */
uint64_t cli_size(const char *option, const char *text);   /* 64M */
uint32_t cli_size32(const char *option, const char *text); /* the same */
uint64_t cli_number(const char *option, const char *text, uint64_t min, uint64_t max); /* 0x too */
uint32_t cli_age(const char *option, const char *text); /* 500ms, 30s, 5m, never; to ms */

/* ---- words (message.c) ---- */

/* "xdplace VERB: ..." to stderr. */
void cli_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same; the next line points to --help; exit code 2. */
_Noreturn void cli_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));
/*
 * Says why a library call failed and returns the exit code. The library's own words (what was
 * tried, on what, why, what to do) suffice; "what: strerror(err)" is for where it has none.
 */
int cli_error(int err, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same for what the library knows nothing of: strerror() is the reason. */
int cli_errno(int err, const char *format, ...) __attribute__((format(printf, 2, 3)));
int cli_exit_code(int err);
/* The text, below it a caret under byte `where`; exit code 2. */
_Noreturn void cli_syntax(const char *what, const char *text, size_t where);
/* xdplace_log_fn: warnings always, information and libbpf's warnings with -v, the rest with -vv. */
void cli_log(void *arg, enum xdplace_log_level level, const char *text);
/* fflush(stdout): false once nobody reads it any more. A long-running verb then ends. */
bool cli_flush(void);
/* At the end: exit code, CLI_FAILED if output was lost (disk full), not if the reader left. */
int cli_finish(int code);

/* 1536 -> "1.5K"; text holds at least 16 bytes; returns text. */
const char *cli_human(uint64_t bytes, char *text, size_t size);
/* 61000 -> "1m01s" */
const char *cli_human_ms(uint64_t ms, char *text, size_t size);

/* Words as one text with blanks between; ends the process if there is no memory. */
char *cli_join(char **words, int count);

/* ---- stopping (message.c) ---- */

/* SIGINT, SIGTERM and SIGHUP (unless ignored) set cli_stop from now on; waits end with EINTR. */
void cli_catch_signals(void);
extern volatile bool cli_stop;

/* ---- contexts (context.c, context_options.c) ---- */

/* Open the context -n names, or the only one there is. Ends the process if there is none. */
struct xdplace *cli_open(void);
/* Its name, when cli_open() or context_open() has been successful. */
const char *cli_context_name(const struct xdplace *ctx);

/*
 * Options that make a context, for the verbs that do (load, watch, follow):
 *
 *	struct context_options options;
 *	struct cli_set sets[] = {context_set(&options), ...};
 *
 *	first = cli_parse(argc, argv, sets, 1);
 *	ctx = context_open(&options, argv + first, argc - first);
 */
struct context_options {
	struct xdplace_opts open;
	struct xdplace_attach_opts attach;
	bool fall_back; /* -m unspecified: native, else skb */
	struct xp_rule rules[XP_MAX_RULES];
	const char *rule_text[XP_MAX_RULES];
	size_t rule_count;
};
/* Sets the defaults, too. */
struct cli_set context_set(struct context_options *options);
/*
 * Open a new context, give it the rules (those of the options; where they name none, `otherwise`,
 * which may be NULL), attach it to the interfaces (none is allowed). Ends the process, with
 * nothing left behind, if any of it fails.
 */
struct xdplace *context_open(struct context_options *options, char **interfaces, int count,
			     const char *otherwise);
/* Parse a rule; on a fault show it and end the process. */
void context_rule(const char *text, struct xp_rule *rule);
/* Refuse, unless `force`, a rule that would take this machine's own ssh from it. */
void context_keep_management(const char *text, const struct xp_rule *rule, bool force);
const char *context_mode_name(enum xdplace_mode mode);
const char *context_egress_name(enum xp_egress egress);
/* "eth0: native mode, 4 queues on lanes 0-3" and the end of the line */
void context_print_interface(const struct xdplace_interface *interface);

/* ---- JSON (json.c) ---- */

/* Add a member; the object owns it. */
void json_add_u64(struct json_object *object, const char *key, uint64_t value);
void json_add_string(struct json_object *object, const char *key,
		     const char *value); /* NULL: null */
void json_add_bool(struct json_object *object, const char *key, bool value);
struct json_object *json_add_object(struct json_object *parent,
				    const char *key); /* parent may be NULL */
struct json_object *json_add_array(struct json_object *parent,
				   const char *key); /* parent may be NULL */
void json_append(struct json_object *array, struct json_object *element);
/* Print as one document, indented, and free it. */
void json_print(struct json_object *document);
/* Print on one line (a stream of documents: watch, follow) and free it. */
void json_line(struct json_object *document);

/* The same keys wherever a flow, a completion or a rule is told of. */
struct json_object *json_flow(const struct xdplace *ctx, const struct xp_flow *flow);
struct json_object *json_completion(const struct xdplace *ctx, const struct xp_completion *c);
struct json_object *json_rule(const struct xp_rule *rule);
struct json_object *json_interface(const struct xdplace_interface *interface);

/* ---- flows (flow_text.c) ---- */

const char *flow_state_name(unsigned state);
/* Milliseconds since the tick `then` of a flow (`active`, `started`). */
uint64_t flow_age_ms(const struct xdplace *ctx, uint32_t then);

#endif

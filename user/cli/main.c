/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * main.c - the verb table of xdplace. In: the command line. Out: the exit code of the verb.
 *
 * The table is all there is to know of a verb: the list of verbs, each verb's help and the shell
 * completion (which reads the help) come from it.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

/* clang-format off */
static const struct cli_verb verbs[] = {
	{"load", verb_load, "IF... [-p NAME] [-r RULE]... [OPTION]...",
	 "attach to interfaces and place packets",
	 "With --pin the context outlives this command: it attaches, says what it did and ends.\n"
	 "Without, it stays in the foreground until interrupted, then detaches.\n"
	 "Without a rule nothing changes for anybody: every packet passes."},
	{"unload", verb_unload, "[-n NAME] [IF]...",
	 "detach, and unpin when no interface is left", NULL},
	{"status", verb_status, "[-n NAME]",
	 "contexts, interfaces, memory, flows, consumers", NULL},
	{"clean", verb_clean, "[-a | NAME...]",
	 "remove what a crash left behind", NULL},
	{"rule", verb_rule,
	 "[list]\n"
	 "add RULE\n"
	 "del ID...",
	 "which packets are placed, and how",
	 "RULE: [tap|take] [stream|whole] MATCH...\n"
	 "MATCH: ip | ip6 | tcp | udp | [src|dst] host ADDR | [src|dst] net ADDR/BITS |\n"
	 "       [src|dst] port N[-M] | vlan [ID] | qinq [OUTER.INNER] | vxlan [VNI] |\n"
	 "       geneve [VNI] | gre [KEY] | ipip | any\n"
	 "The first rule that matches decides."},
	{"flow", verb_flow,
	 "[list]\n"
	 "show HANDLE|KEY\n"
	 "add KEY [--take] [--lane N] [--own-address A --own-length L [--own-start OFFSET]]\n"
	 "del HANDLE|KEY...",
	 "connections and how far they are",
	 "KEY: as `flow list` prints it, for example 'tcp 10.0.0.1:80 > 10.0.0.2:4711'"},
	{"area", verb_area,
	 "[list] [-a]\n"
	 "dump INDEX [--offset N] [--length N] [-w -]\n"
	 "audit",
	 "pages of the UMEM: who has them, what is in them", NULL},
	{"stats", verb_stats, "[--lane N] [--openmetrics] [-v]",
	 "packets by op-code, reason and lane", NULL},
	{"watch", verb_watch, "[IF]... [-r RULE]... [--payload]",
	 "print completions as they come", NULL},
	{"top", verb_top, "[-n NAME] [--batch]",
	 "flows by rate, live", NULL},
	{"follow", verb_follow, "-o DIR [IF... | -n NAME | -r FILE] [OPTION]...",
	 "write each stream to a file",
	 "From interfaces and from a file, everything is followed unless a rule says what (tap any);\n"
	 "with -n alone, what the rules of that context place. It is then the context's consumer.\n"
	 "Files: tcp_SRC_SPORT-DST_DPORT or udp_..., then @vlanID and the like if the flow is in one;\n"
	 ".2 and so on for later connections on the same key. A flow without data gets no file.\n"
	 "A line for each flow that ends: bytes, gaps, repeats, bad checksums, why it ended. A gap is\n"
	 "left out of the file, not filled. With --json: file (null: no data), flow, bytes, from (stream\n"
	 "offset of the first byte in the file), gaps (offset in the stream, length), repeats,\n"
	 "bad_checksums, unwritten (placed, but writing failed), reason (null: has not ended).\n"
	 "Without other sizes: an eighth of the memory, 64M to 512M, in areas of 4K to 32K, --ring 65536,\n"
	 "--window 256 areas, --flows three quarters of the areas; from a file nothing ages."},
	{"send", verb_send, "[FILE]... --to ADDR:PORT... [OPTION]...",
	 "files or standard input to one or many destinations",
	 "UDP datagrams, or RTP packets with --rtp, as long as the MTU allows. Each destination gets the\n"
	 "whole input; destinations take turns packet by packet. Without --rate as fast as the path\n"
	 "takes it. A file that is longer than the memory is read while it is sent.\n"
	 "A line for each destination at the end; exit code 1 if anything of it did not go out. With\n"
	 "--json one document; unsent are bytes never made into packets, refused are packets that a\n"
	 "driver did not take; pace (null without --rate): late are packets that went more than an\n"
	 "interval after they were due, starved intervals without input, jitter as RFC 3550, 6.4.1."},
	{"doctor", verb_doctor, "[IF]...",
	 "what this kernel and these interfaces can do, and what to change", NULL},
};
/* clang-format on */

#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

static void print_help(FILE *out)
{
	size_t i;

	fprintf(out,
		"Usage: xdplace VERB [OPTION]... [OPERAND]...\n"
		"Packet placement: an XDP program puts each packet's bytes where they belong.\n"
		"\nVerbs:\n");
	for (i = 0; i < VERBS; i++)
		fprintf(out, "  %-8s  %s\n", verbs[i].name, verbs[i].summary);
	fprintf(out,
		"\nOptions:\n"
		"  -h, --help     this list; 'xdplace VERB --help' has the options of a verb\n"
		"  -V, --version  version of program and ABI\n"
		"\nExit codes: 0 done, 1 failed, 2 usage, 3 unsupported, 4 busy, 5 permission,\n"
		"6 not found or not loaded. Manual: xdplace(8), concepts: xdplace(7).\n");
}

static const struct cli_verb *find_verb(const char *name)
{
	size_t i;

	for (i = 0; i < VERBS; i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

static bool is(const char *argument, const char *letter, const char *name, const char *word)
{
	return !strcmp(argument, letter) || !strcmp(argument, name) || !strcmp(argument, word);
}

/* "xdplace help VERB" is "xdplace VERB --help". */
static int help(int argc, char **argv)
{
	char option[] = "--help";
	char *arguments[] = {argc > 0 ? argv[0] : NULL, option, NULL};

	if (argc > 0 && find_verb(argv[0])) {
		cli.verb = find_verb(argv[0]);
		return cli.verb->run(2, arguments);
	}
	if (argc > 0)
		cli_usage("no verb '%s'", argv[0]);
	print_help(stdout);
	return CLI_DONE;
}

int main(int argc, char **argv)
{
	/* A reader that leaves (| head) is noticed when writing, so that load can still detach. */
	signal(SIGPIPE, SIG_IGN);
	if (argc < 2) {
		print_help(stderr);
		return CLI_USAGE;
	}
	if (is(argv[1], "-h", "--help", "help"))
		return cli_finish(help(argc - 2, argv + 2));
	if (is(argv[1], "-V", "--version", "version")) {
		printf("xdplace %s (ABI %d)\n", XDPLACE_VERSION, XP_ABI);
		return cli_finish(CLI_DONE);
	}
	cli.verb = find_verb(argv[1]);
	if (!cli.verb)
		cli_usage("no verb '%s'", argv[1]);
	return cli_finish(cli.verb->run(argc - 1, argv + 1));
}

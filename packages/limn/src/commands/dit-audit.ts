// `limn dit audit`: asks every diff of some folders the same question, and ranks them by how surely something was learnt.
import { LimnError } from '@limn/gpu';
import { AUDIT_FORMAT, ditAuditPage, ditAuditToJson } from '@limn/report';
import type { Command } from 'commander';
import { askedOneByOne, expectRanked } from '../asked-diffs.js';
import { AUDIT_HEADER, auditCsv, describeAudit } from '../audit-text.js';
import { nothingToAudit, openAudited } from '../audited-folders.js';
import type { CommandContext } from '../context.js';
import { openDevice } from '../device.js';
import { auditRecord } from '../diff-audit.js';
import { askedQuestions, openDitAdapter } from '../dit-adapter-folder.js';
import { seenDiffs } from '../dit-training-data.js';
import { auditedDiff, expectAskable, givenLabels } from '../known-labels.js';
import { openGivenModel } from '../given-model.js';
import { provenanceOf } from '../provenance.js';
import { refuseForeignPage, refuseForeignRecord, refuseForeignTable, writeTextWhole } from '../result-files.js';
import { integerOption } from '../shared-options.js';
import { withBase, withQuestions, type DitAskOptions } from './dit-options.js';

/** Where an audit is written, of `watch` as well. */
export interface AuditFiles {
  readonly out?: string;
  readonly html?: string;
}

interface DitAuditOptions extends DitAskOptions, AuditFiles {
  readonly adapter: string;
  readonly data?: string;
  readonly csv?: string;
  readonly seed: number;
}

export function addDitAuditCommand(dit: Command, context: CommandContext): void {
  withQuestions(withBase(dit.command('audit')))
    .description('ask every diff of some folders what it changed, and rank them by how surely something was learnt')
    .argument('<folders...>', 'PEFT folders, packs, or folders of them')
    .requiredOption('--adapter <dir>', 'the folder of `limn dit train`')
    .option(
      '--data <file>',
      'what is true of them, for a curve of hits and false alarms: JSON lines of {"diff", "question", "answer"} (default: records of packs)',
    )
    .option('--seed <n>', 'of intervals', integerOption('--seed', 0), 0)
    .option('--csv <file>', 'write the ranking as a table')
    .option('--out <file>', 'write the record as JSON')
    .option('--html <file>', 'write a page')
    .action((folders: readonly string[], options: DitAuditOptions) => run(folders, options, context));
}

async function run(folders: readonly string[], options: DitAuditOptions, context: CommandContext): Promise<void> {
  const { console } = context;
  expectAuditFiles(options);
  if (options.csv !== undefined) refuseForeignTable(options.csv, AUDIT_HEADER);
  if (options.question.length > 1)
    throw new LimnError('usage/dit-question', 'an audit ranks by one question: give --question once');
  using device = await openDevice(context);
  using model = await openGivenModel(device.gpu, options.base, options, context);
  const adapter = await openDitAdapter(model, options.adapter);
  const [question] = askedQuestions(adapter, options.question, model, options.template);
  if (question === undefined) return;
  expectRanked(question);
  const labels = givenLabels(options.data, question, adapter, model);
  const { diffs, refused } = await openAudited(folders, model, (diff) => expectAskable(model, diff, question));
  const known = await seenDiffs(diffs, adapter);
  const asked = await askedOneByOne(
    model,
    diffs,
    adapter.lora,
    question,
    { top: options.top, maxNewTokens: options.maxNewTokens, ends: adapter.record.ends, phase: 'audit' },
    context,
  );
  if (asked.answers.every((answer) => answer === undefined)) throw nothingToAudit(folders, asked.refused);
  const record = auditRecord({
    model,
    adapter,
    question,
    refused: [...refused, ...asked.refused],
    seen: known.length,
    seed: options.seed,
    title: `Audit of ${folders.join(', ')}`.slice(0, 500),
    diffs: diffs.flatMap((diff, i) => {
      const answer = asked.answers[i];
      return answer ? [auditedDiff(diff, answer, question, labels)] : [];
    }),
    provenance: provenanceOf(device.gpu, model, context, {
      seed: options.seed,
      prompts: [question.prompt],
      prependBos: null,
      options: {
        folders,
        adapter: options.adapter,
        adapterKey: adapter.record.key,
        question: question.name,
        data: options.data ?? null,
      },
    }),
  });
  if (options.out !== undefined) writeTextWhole(options.out, ditAuditToJson(record));
  if (options.html !== undefined) writeTextWhole(options.html, ditAuditPage(record));
  if (options.csv !== undefined) writeTextWhole(options.csv, auditCsv(record));
  for (const line of describeAudit(record)) console.say(line);
  for (const file of [options.csv, options.out, options.html])
    if (file !== undefined) console.say(`written to ${file}`);
  console.result({ ok: true, command: 'dit audit', audit: record });
}

/** @throws LimnError `usage/output-exists` */
export function expectAuditFiles({ out, html }: AuditFiles): void {
  if (out !== undefined) refuseForeignRecord(out, AUDIT_FORMAT);
  if (html !== undefined) refuseForeignPage(html);
}

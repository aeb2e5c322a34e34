// `limn dit watch`: asks the checkpoints of one fine-tune what was learnt, as they appear, and writes how the answers' probabilities went.
import { setTimeout as wait } from 'node:timers/promises';
import { probabilitiesAt } from '@limn/dit';
import { LimnError } from '@limn/gpu';
import { ditAuditPage, ditAuditToJson, type DitAuditRecord, type Provenance } from '@limn/report';
import type { Command } from 'commander';
import { askedOneByOne, expectRanked } from '../asked-diffs.js';
import type { RefusedDiff } from '../audited-folders.js';
import type { CommandContext } from '../context.js';
import { openDevice } from '../device.js';
import { auditRecord, type AuditedDiff } from '../diff-audit.js';
import { askedQuestions, openDitAdapter, type OpenDitAdapter } from '../dit-adapter-folder.js';
import type { AskedQuestion } from '../dit-adapter-record.js';
import { isCoded } from '../exit-code.js';
import { openGivenModel } from '../given-model.js';
import { auditedDiff, expectAskable, givenLabels, type KnownLabels } from '../known-labels.js';
import type { OpenModel } from '../model-source.js';
import { provenanceOf } from '../provenance.js';
import { clipped } from '../reading-lines.js';
import { writeTextWhole } from '../result-files.js';
import { numberOption } from '../shared-options.js';
import { watchSeries } from '../watch-series.js';
import { checkpointPlaces, openCheckpoint, type CheckpointPlace } from '../watched-checkpoints.js';
import { expectAuditFiles, type AuditFiles } from './dit-audit.js';
import { withBase, withQuestions, type DitAskOptions } from './dit-options.js';

interface DitWatchOptions extends DitAskOptions, AuditFiles {
  readonly adapter: string;
  readonly id?: string;
  readonly data?: string;
  readonly every: number;
  readonly once: boolean;
}

/** Everything that stays while checkpoints come. */
interface Watch {
  readonly model: OpenModel;
  readonly adapter: OpenDitAdapter;
  readonly question: AskedQuestion;
  readonly labels: KnownLabels | undefined;
  readonly provenance: Provenance;
  readonly options: DitWatchOptions;
  readonly folder: string;
}

export function addDitWatchCommand(dit: Command, context: CommandContext): void {
  withQuestions(withBase(dit.command('watch')))
    .description('ask the checkpoints of one fine-tune what was learnt, as they appear')
    .argument('<folder>', 'where the fine-tune writes checkpoint-N: PEFT folders, or packs')
    .requiredOption('--adapter <dir>', 'the folder of `limn dit train`')
    .option('--id <name>', 'which diff of packs of several, or which adapter')
    .option('--data <file>', 'what it is trained to have: JSON lines of {"diff": "checkpoint-N", "question", "answer"}')
    .option('--every <seconds>', 'how often the folder is looked at', numberOption('--every'), 10)
    .option('--once', 'end when all that is there was asked', false)
    .option('--out <file>', 'write the record as JSON, anew behind every checkpoint')
    .option('--html <file>', 'write a page, anew behind every checkpoint')
    .action((folder: string, options: DitWatchOptions) => run(folder, options, context));
}

async function run(folder: string, options: DitWatchOptions, context: CommandContext): Promise<void> {
  const { console } = context;
  expectAuditFiles(options);
  if (options.question.length > 1)
    throw new LimnError('usage/dit-question', 'a watch follows one question: give --question once');
  checkpointPlaces(folder);
  using device = await openDevice(context);
  using model = await openGivenModel(device.gpu, options.base, options, context);
  const adapter = await openDitAdapter(model, options.adapter);
  const [question] = askedQuestions(adapter, options.question, model, options.template);
  if (question === undefined) return;
  expectRanked(question);
  const watch: Watch = {
    model,
    adapter,
    question,
    options,
    folder,
    labels: givenLabels(options.data, question, adapter, model),
    provenance: provenanceOf(device.gpu, model, context, {
      seed: null,
      prompts: [question.prompt],
      prependBos: null,
      options: {
        folder,
        adapter: options.adapter,
        adapterKey: adapter.record.key,
        question: question.name,
        id: options.id ?? null,
      },
    }),
  };
  const { record, seen } = await watched(watch, context);
  if (record === undefined && options.once)
    throw new LimnError('data/diff-folder', `${folder} has no checkpoint that can be opened`, {
      details: { folder, refused: [...seen.refused.values()].slice(0, 20) },
      hint: 'checkpoints are folders whose names end in their update, such as checkpoint-500, with a PEFT adapter or a pack of --base',
    });
  for (const { name, reason } of seen.refused.values()) console.note(`not opened: ${name}: ${reason}`);
  for (const file of [options.out, options.html]) if (file !== undefined) console.say(`written to ${file}`);
  console.result({ ok: true, command: 'dit watch', audit: record ?? null });
}

/** What was seen so far, by the folder's name. */
interface Seen {
  readonly asked: Map<string, AuditedDiff>;
  /** Those that could not be opened when they were last looked at: half-written ones are whole the next time. */
  readonly refused: Map<string, RefusedDiff>;
}

/** Until all is asked with --once, else until a signal, which is how a watch ends. */
async function watched(
  watch: Watch,
  context: CommandContext,
): Promise<{ readonly record: DitAuditRecord | undefined; readonly seen: Seen }> {
  const { signal } = context;
  const { options, folder } = watch;
  const seen: Seen = { asked: new Map(), refused: new Map() };
  let record: DitAuditRecord | undefined;
  for (;;) {
    for (const place of checkpointPlaces(folder)) {
      if (seen.asked.has(place.name)) continue;
      const found = await look(place, seen, watch, context).catch((error: unknown) => {
        if (signal.aborted && !options.once) return undefined;
        throw error;
      });
      if (found === undefined) return { record, seen };
      if (found) {
        record = written(seen, watch);
        tell(place, seen.asked.get(place.name) as AuditedDiff, context);
      }
    }
    if (options.once) return { record, seen };
    await wait(1000 * options.every, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return { record, seen };
  }
}

/** Whether a checkpoint could be asked. */
async function look(
  place: CheckpointPlace,
  seen: Seen,
  { model, adapter, question, labels, options }: Watch,
  context: CommandContext,
): Promise<boolean> {
  const { name, update } = place;
  const opened = await openCheckpoint(place, options.id, model)
    .then((diff) => {
      expectAskable(model, diff, question);
      return { ...diff, name };
    })
    .catch((error: unknown) => {
      if (!isCoded(error)) throw error;
      seen.refused.set(name, { name, code: error.code, reason: error.message });
    });
  if (!opened) return false;
  const controls = { top: options.top, maxNewTokens: options.maxNewTokens, ends: adapter.record.ends, phase: name };
  const { answers, refused } = await askedOneByOne(model, [opened], adapter.lora, question, controls, context);
  for (const each of refused) seen.refused.set(name, each);
  const [answer] = answers;
  if (!answer) return false;
  seen.asked.set(name, { ...auditedDiff(opened, answer, question, labels), update });
  seen.refused.delete(name);
  return true;
}

/** The record of what was asked so far, in the order of updates; on disk as well. */
function written(
  { asked, refused }: Seen,
  { model, adapter, question, provenance, options, folder }: Watch,
): DitAuditRecord {
  const diffs = [...asked.values()].sort((a, b) => (a.update ?? 0) - (b.update ?? 0));
  const temperature = question.calibration?.temperature ?? 1;
  const record: DitAuditRecord = {
    ...auditRecord({
      model,
      adapter,
      question,
      diffs,
      provenance,
      seed: 0,
      refused: [...refused.values()],
      title: `Checkpoints of ${folder}`.slice(0, 500),
    }),
    watch: watchSeries(diffs, question, ({ answer }) => probabilitiesAt(answer.among.scores, temperature)),
  };
  if (options.out !== undefined) writeTextWhole(options.out, ditAuditToJson(record));
  if (options.html !== undefined) writeTextWhole(options.html, ditAuditPage(record));
  return record;
}

function tell(
  { update }: CheckpointPlace,
  { answer: { text, among } }: AuditedDiff,
  { console }: CommandContext,
): void {
  const { confidence, none, decision } = among;
  console.endProgress();
  console.say(
    `update ${String(update).padStart(8)}  ${decision.padEnd(7)}  nothing ${(none ?? 0).toFixed(4)}  ${clipped(text, 30)} ${confidence.toFixed(3)}`,
  );
}

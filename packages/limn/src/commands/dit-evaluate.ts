// `limn dit evaluate`: what an adapter reaches on diffs whose truth is known, by question and kind, with intervals, beside the controls that tell reading from guessing.
import { LimnError } from '@limn/gpu';
import type { Command } from 'commander';
import type { Console } from '../console.js';
import type { CommandContext } from '../context.js';
import { openDevice } from '../device.js';
import { askedQuestions, openDitAdapter, type OpenDitAdapter } from '../dit-adapter-folder.js';
import type { AskedQuestion } from '../dit-adapter-record.js';
import { openedDiffs, seenDiffs } from '../dit-training-data.js';
import { evaluatedAdapter, shuffledFigures, type EvaluationRequest } from '../evaluated-adapter.js';
import { describeFigures } from '../figure-lines.js';
import { openGivenModel } from '../given-model.js';
import { labelledDiffs } from '../labelled-diffs.js';
import { figuresTable, type AnswerFigures, type MeasuredAnswer } from '../measured-adapter.js';
import type { OpenModel } from '../model-source.js';
import { MEASURED_NEGATIVES, negativesOption, type NegativeShares } from '../negative-diffs.js';
import { provenanceOf } from '../provenance.js';
import { searchedFigures } from '../proposal-figures.js';
import { readQuestionFile, type QuestionFile } from '../question-file.js';
import { refuseForeignRecord, writeTextWhole } from '../result-files.js';
import { integerOption } from '../shared-options.js';
import { repeated, withBase, withQuestions, type DitAskOptions } from './dit-options.js';

/** What the field `format` of an evaluation says. */
export const EVALUATION_FORMAT = 'limn-dit-evaluation/1';

interface DitEvaluateOptions extends DitAskOptions {
  readonly adapter: string;
  readonly diffs: readonly string[];
  readonly data?: string;
  readonly none: NegativeShares;
  readonly seen: boolean;
  readonly controls: boolean;
  readonly search: boolean;
  readonly seed: number;
  readonly out?: string;
}

/** Figures under one name: of the adapter, or of a control. */
interface NamedFigures {
  readonly name: string;
  readonly figures: readonly AnswerFigures[];
}

export function addDitEvaluateCommand(dit: Command, context: CommandContext): void {
  withQuestions(withBase(dit.command('evaluate')))
    .description('what an adapter reaches on diffs whose truth is known: exact answers, ranks, grades, false alarms')
    .requiredOption('--adapter <dir>', 'the folder of `limn dit train`')
    .requiredOption('--diffs <pack>', 'diffs that it was not trained on; may be given several times', repeated, [])
    .option(
      '--data <file>',
      'what is true of them: JSON lines of {"diff", "question", "answer"} (default: their records)',
    )
    .option(
      '--none <classes>',
      'models with nothing to tell that are asked as well: zero, random, generic, each with :SHARE; or off',
      negativesOption,
      MEASURED_NEGATIVES,
    )
    .option('--seen', 'also of diffs that the adapter was trained or stopped by: how well it learnt them', false)
    .option('--controls', 'also without the adapter, and with the answers about other diffs', false)
    .option(
      '--search',
      'of the chat world: also let what is proposed be tried on base + diff (see `limn dit ask`)',
      false,
    )
    .option('--seed <n>', 'of intervals, random changes and the order of controls', integerOption('--seed', 0), 0)
    .option('--out <file>', 'write all of it, with every answer, as JSON')
    .action((options: DitEvaluateOptions) => run(options, context));
}

async function run(options: DitEvaluateOptions, context: CommandContext): Promise<void> {
  const { console } = context;
  if (options.diffs.length === 0) throw new LimnError('usage/dit-source', 'give diffs with --diffs PACK');
  if (options.out !== undefined) refuseForeignRecord(options.out, EVALUATION_FORMAT);
  using device = await openDevice(context);
  using model = await openGivenModel(device.gpu, options.base, options, context);
  const adapter = await openDitAdapter(model, options.adapter);
  const file =
    options.data === undefined
      ? undefined
      : readQuestionFile(options.data, { template: adapter.record.template }, model);
  const questions = questionsOf(options, adapter, file, model);
  const { none: negatives, seed, top, maxNewTokens } = options;
  const opened = await openedDiffs(model, options.diffs);
  const known = await seenDiffs(opened, adapter);
  if (known.length > 0) tellSeen(known, opened.length, options, console);
  const diffs = labelledDiffs({
    diffs: opened,
    questions,
    given: file?.given,
    negatives,
    seed,
    purpose: 'evaluation',
  });
  const controls = { top, maxNewTokens, ends: adapter.record.ends };
  const request: EvaluationRequest = { model, questions, diffs, controls, seed };
  const own = await evaluatedAdapter(request, adapter.lora, context);
  const all: NamedFigures[] = [{ name: 'adapter', figures: own.figures }];
  if (options.search)
    all.push({
      name: 'adapter and search',
      figures: await searchedFigures(request, own, adapter.record.world, context),
    });
  if (options.controls) {
    // The calibration is of the adapter's answers.
    const plain = questions.map((question) => ({ ...question, calibration: null }));
    const bare = await evaluatedAdapter({ ...request, questions: plain }, null, context, 'without the adapter');
    all.push({ name: 'without the adapter', figures: bare.figures });
    all.push({ name: 'answers about other diffs', figures: shuffledFigures(own, questions, diffs, model, seed) });
  }
  const provenance = provenanceOf(device.gpu, model, context, {
    seed,
    prompts: questions.map(({ prompt }) => prompt),
    prependBos: null,
    options: {
      adapter: options.adapter,
      adapterKey: adapter.record.key,
      diffs: options.diffs,
      seen: known.length,
      none: Object.entries(negatives).map(([name, share]) => `${name}:${share}`),
    },
  });
  const result = {
    adapter: options.adapter,
    questions: questions.map(({ name }) => name),
    /** Of the diffs, those that the adapter was trained or stopped by. */
    seen: known,
    figures: all,
    tables: all.map(({ name, figures }) => figuresTable(name, figures)),
    provenance,
  };
  if (options.out !== undefined) {
    const record = { format: EVALUATION_FORMAT, ...result, answers: own.answers.map(answerRow) };
    writeTextWhole(options.out, `${JSON.stringify(record, undefined, 1)}\n`);
  }
  for (const { name, figures } of all) {
    console.say(name);
    for (const line of describeFigures(figures)) console.say(`  ${line}`);
  }
  if (options.out !== undefined) console.say(`written to ${options.out}`);
  console.result({
    ok: true,
    command: 'dit evaluate',
    ...result,
    ...(options.out === undefined ? {} : { out: options.out }),
  });
}

/** @throws LimnError `usage/dit-seen` without `--seen` */
function tellSeen(known: readonly string[], all: number, { seen }: DitEvaluateOptions, console: Console): void {
  const what = `${known.length} of ${all} diffs are among those that the adapter was trained or stopped by`;
  if (seen) return console.note(`${what}: the figures say how well it learnt, not what it finds out`);
  throw new LimnError('usage/dit-seen', `${what}: '${known[0] ?? ''}'`, {
    details: { seen: known.slice(0, 20), count: known.length },
    hint: 'give diffs that it never saw, or --seen to measure how well it learnt these',
  });
}

/** Those of the options, else all that the adapter was trained on; of a file its own, with the adapter's calibration where it has one. */
function questionsOf(
  { question, template }: DitEvaluateOptions,
  adapter: OpenDitAdapter,
  file: QuestionFile | undefined,
  model: OpenModel,
): readonly AskedQuestion[] {
  if (question.length > 0) return askedQuestions(adapter, question, model, template);
  if (!file) return adapter.record.questions;
  const baseRates = { labels: 0, examples: 0, most: [] };
  return file.questions.map(
    (own) => adapter.record.questions.find(({ name }) => name === own.name) ?? { ...own, calibration: null, baseRates },
  );
}

/** An answer as it stands in the file. */
function answerRow({ answer, rank, ...own }: MeasuredAnswer): Record<string, unknown> {
  const { ended, probability, among } = answer;
  return {
    ...own,
    rank: rank?.rank ?? null,
    ended,
    probability,
    ...(among ? { decision: among.decision, confidence: among.confidence, none: among.none, top: among.ranked } : {}),
  };
}

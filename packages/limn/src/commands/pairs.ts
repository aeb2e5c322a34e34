// `limn pairs`: the pairs of a task, a file or a template, all checked, previewed on the model, and written; no scoring.
import {
  METRICS,
  checkAlignment,
  metricByName,
  pairsToCsv,
  pairsToJsonLines,
  parsePairs,
  previewPairs,
  previewTable,
  type AlignmentReport,
  type Pair,
  type PairTokenizer,
  type PairsPreview,
  type RefusedRow,
} from '@limn/attribution';
import { LimnError } from '@limn/gpu';
import type { Provenance } from '@limn/report';
import type { TextSplit } from '@limn/tasks/text';
import type { Command } from 'commander';
import type { CommandContext } from '../context.js';
import { openDevice } from '../device.js';
import { openGivenModel } from '../given-model.js';
import { leftOut } from '../left-out.js';
import { measurable } from '../measurable.js';
import type { ModelTokenizer } from '../model-source.js';
import { refuseForeignFile, writeFileWhole } from '../output.js';
import { parseOptions, prependBosOf, readPairs, type PairSets } from '../pairs-source.js';
import { provenanceOf } from '../provenance.js';
import { integerOption, nameOption, withSharedOptions, type SharedOptions } from '../shared-options.js';
import { TASK_NAMES, drawTaskPairs, encoderOf, type TaskModel } from '../task-source.js';
import { templatePairs } from '../template-source.js';
import { withWeightOptions, type WeightOptions } from '../weight-options.js';
import { withLora, type LoraOptions } from './lora-option.js';

const SPLITS: readonly TextSplit[] = ['train', 'held-out', 'all'];
const METRIC_NAMES = METRICS.map(({ name }) => name);

interface PairsOptions extends SharedOptions, WeightOptions, LoraOptions {
  readonly model: string;
  readonly task?: string;
  readonly data?: string;
  readonly template?: string;
  readonly pairs: number;
  readonly split: TextSplit;
  readonly seed: number;
  readonly metric?: string;
  readonly bos: boolean;
  readonly skipBadPairs?: boolean;
  readonly preview: boolean;
  readonly out?: string;
}

export function addPairsCommand(program: Command, context: CommandContext): void {
  withLora(withWeightOptions(withSharedOptions(program.command('pairs'))))
    .description(
      'check the pairs of a file or make those of a task or a template, show what the model makes of them before any scoring, and write them',
    )
    .requiredOption('--model <name>', 'a Hugging Face GPT-2 folder, an id of the hub such as `gpt2`, or `pocket`')
    .option('--data <file>', 'a file of pairs to check: JSON lines, or CSV that begins clean,corrupted,label')
    .option(
      '--task <name>',
      `a task to make pairs of: ${TASK_NAMES.join(', ')}`,
      nameOption('--task', 'task', TASK_NAMES),
    )
    .option(
      '--template <file>',
      'JSON to make corrupted prompts by: {"pattern": " {city}, the capital of", "slot": "city", "answers": {"Paris": " France", …}}',
    )
    .option('--pairs <n>', 'how many pairs of a task', integerOption('--pairs', 1), 100)
    .option('--split <name>', SPLITS.join(', '), nameOption('--split', 'split', SPLITS), 'train')
    .option('--seed <n>', 'which pairs of a task, and which fillers of a template', integerOption('--seed', 0), 0)
    .option(
      '--metric <name>',
      `${METRIC_NAMES.join(', ')} (default: all that the pairs have answers for)`,
      nameOption('--metric', 'metric', METRIC_NAMES),
    )
    .option('--skip-bad-pairs', 'go on without rows of --data that cannot be used; each is named')
    .option('--no-bos', 'put no BOS in front of text')
    .option('--no-preview', 'only check and write; do not run the model')
    .option('--out <file>', 'where to write the pairs: JSON lines, or CSV where the name ends in .csv')
    .action((options: PairsOptions) => run(options, context));
}

async function run(options: PairsOptions, context: CommandContext): Promise<void> {
  const { console, signal } = context;
  if ([options.data, options.task, options.template].filter((source) => source !== undefined).length !== 1)
    throw new LimnError(
      'usage/pairs-source',
      'give the pairs with one of --data FILE, --task NAME and --template FILE',
      { hint: 'for example: limn pairs --model pocket --task ioi' },
    );
  using device = await openDevice(context);
  using model = await openGivenModel(device.gpu, options.model, options, context);
  const speaker = { info: model.hooked.info, tokenizer: model.tokenizer, bos: options.bos };
  const { pairs, report, bos, refused } = await findPairs(options, speaker);
  const without = refused.map((row) => leftOut('both', row));
  for (const line of describeReport(report)) console.say(line);
  for (const { where, reason, code } of without) console.say(`  left out: ${where}: ${reason} (${code})`);
  const content = options.out === undefined ? undefined : contentOf(pairs, options.out, model.tokenizer);
  if (options.out !== undefined && content !== undefined)
    refuseForeignFile(options.out, (there) => Buffer.from(there).equals(content));
  const preview = options.preview
    ? await previewPairs(model.hooked, pairs, {
        metrics: options.metric === undefined ? measurable(METRICS, pairs) : [metricByName(options.metric)],
        signal,
        onProgress: ({ unit, done, total }) => console.progress({ phase: 'preview', unit, done, total }),
      })
    : undefined;
  if (preview !== undefined) for (const line of previewTable(preview).split('\n').slice(1)) console.say(line);
  if (options.out !== undefined && content !== undefined) {
    writeFileWhole(options.out, content);
    console.say(`written to ${options.out}: ${pairs.length} pairs`);
  }
  const { rows, aligned, lengths, notes } = report;
  console.result({
    ok: true,
    command: 'pairs',
    rows,
    aligned,
    lengths,
    notes,
    leftOut: without.map(({ of: _of, ...row }) => row),
    ...(preview === undefined ? {} : { preview: figuresOf(preview) }),
    ...(options.out === undefined ? {} : { out: options.out }),
    provenance: provenanceOf(device.gpu, model, context, {
      options: sourceOptions(options, preview),
      seed: options.data === undefined ? options.seed : null,
      prompts: preview === undefined ? [] : pairs.map(({ clean }) => clean),
      prependBos: prependBosOf({ bos }),
    }),
  });
}

/** Where the pairs come from, and what was measured on them. */
function sourceOptions(
  { data, task, template, pairs, split }: PairsOptions,
  preview: PairsPreview | undefined,
): Provenance['options'] {
  const source =
    data !== undefined ? { data } : template !== undefined ? { template } : { task: task ?? '', pairs, split };
  return { ...source, metrics: preview?.metrics.map(({ name }) => name) ?? [] };
}

interface FoundPairs {
  readonly pairs: readonly Pair[];
  readonly report: AlignmentReport;
  readonly bos: PairSets['bos'];
  /** Rows that were left out. */
  readonly refused: readonly RefusedRow[];
}

/** The pairs that the options name, all checked. */
async function findPairs({ data, task, template, ...options }: PairsOptions, model: TaskModel): Promise<FoundPairs> {
  if (data !== undefined) {
    const text = await readPairs(data);
    const parse = parseOptions(data, text, model);
    const report = checkAlignment(text, parse);
    const skipBadRows = options.skipBadPairs === true;
    // Of a file without a good row parsePairs says so.
    if (!skipBadRows) refuseFaults(report, data);
    const { pairs, bos, refused } = parsePairs(text, { ...parse, skipBadRows });
    return { pairs, report, bos, refused };
  }
  const { pairs: n, seed, split } = options;
  const { pairs, bos }: Pick<FoundPairs, 'pairs' | 'bos'> =
    template === undefined
      ? drawTaskPairs(task ?? '', { n, seed, split }, model)
      : { pairs: await templatePairs(template, seed, model), bos: model.bos ? 'prepended' : 'none' };
  const report = checkAlignment(pairs, { model: model.info, tokenizer: writerOf(model.tokenizer) });
  return { pairs, bos, report, refused: [] };
}

/** What the record of a preview holds: all but the values of single pairs. */
function figuresOf({ metrics, accuracy }: PairsPreview): Pick<PairsPreview, 'metrics' | 'accuracy'> {
  return { metrics, accuracy };
}

/** `data/pairs-rows` with every row that is shown, when some cannot be used. */
function refuseFaults({ rows, aligned, misaligned, faults }: AlignmentReport, file: string): void {
  const [only] = faults;
  if (only === undefined) return;
  const bad = rows - aligned;
  const shown = faults.map(({ message, suggestion }) =>
    suggestion === undefined ? message : `${message}\n  ${suggestion}`,
  );
  const more = bad > faults.length ? [`and ${bad - faults.length} more.`] : [];
  throw new LimnError(
    'data/pairs-rows',
    [
      `${file}: ${bad} of ${rows} rows cannot be used; in ${misaligned} the prompts differ in length.`,
      ...shown,
      ...more,
    ].join('\n'),
    { details: { file, rows, aligned, misaligned, faults }, hint: 'mend or remove these rows' },
  );
}

function describeReport({ rows, aligned, lengths, notes }: AlignmentReport): string[] {
  return [
    `${aligned} of ${rows} pairs align; tokens: ${lengths.map(({ tokens, pairs }) => `${pairs} × ${tokens}`).join(', ')}`,
    ...notes.map(({ text, rows: found, first }) => `  note: ${found} of ${rows} (first ${first}): ${text}`),
  ];
}

function contentOf(pairs: readonly Pair[], out: string, tokenizer: ModelTokenizer | undefined): Buffer {
  const writer = writerOf(tokenizer);
  if (!/\.csv$/i.test(out)) return Buffer.from(pairsToJsonLines(pairs, writer));
  if (writer !== undefined) return Buffer.from(pairsToCsv(pairs, writer));
  throw new LimnError('usage/no-tokenizer', `--out ${out}: CSV holds text, and this model has no tokenizer`, {
    hint: 'name a file that ends in .jsonl, which holds token ids',
  });
}

/** For writing: text that the vocabulary cannot spell is no text of these ids. */
function writerOf(tokenizer: ModelTokenizer | undefined): PairTokenizer | undefined {
  return (
    tokenizer && {
      encode: encoderOf(tokenizer),
      decode: (ids) => tokenizer.decode(ids),
      bosId: tokenizer.bosId,
    }
  );
}

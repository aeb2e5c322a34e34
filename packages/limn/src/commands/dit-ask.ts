// `limn dit ask`: asks one weight diff what it changed, with the answers of base, base + diff, base + adapter and all three side by side, and shows where in the diff the answer comes from.
import { LimnError } from '@limn/gpu';
import { ditReadingPage, ditReadingToJson, READING_FORMAT, type DitTable } from '@limn/report';
import type { Command } from 'commander';
import type { CommandContext } from '../context.js';
import { openDevice } from '../device.js';
import { askedQuestions, openDitAdapter, type OpenDitAdapter } from '../dit-adapter-folder.js';
import type { AskedQuestion } from '../dit-adapter-record.js';
import { askedFour, ditReading, type AskedFour, type ReadingRequest } from '../dit-reading.js';
import { promptOfText, QUESTION_SLOT } from '../dit-question.js';
import { endOfAnswers } from '../dit-training-data.js';
import { openGivenDiff } from '../given-diff.js';
import { openGivenModel } from '../given-model.js';
import type { OpenModel } from '../model-source.js';
import { PROBES, PROPOSALS } from '../proposal-figures.js';
import { ANSWER_SLOT, chatProbes, textProbes, triedProposals, type TriedProposal } from '../proposal-search.js';
import { provenanceOf } from '../provenance.js';
import { describeReading } from '../reading-lines.js';
import { refuseForeignPage, refuseForeignRecord, writeTextWhole } from '../result-files.js';
import { integerOption } from '../shared-options.js';
import { repeated, withBase, withQuestions, type DitAskOptions } from './dit-options.js';

interface DitAskCommandOptions extends DitAskOptions {
  readonly diff: string;
  readonly adapter?: string;
  readonly directions: number;
  readonly search: boolean;
  readonly probe: readonly string[];
  readonly seed: number;
  readonly html?: string;
  readonly out?: string;
}

export function addDitAskCommand(dit: Command, context: CommandContext): void {
  withQuestions(withBase(dit.command('ask')))
    .description(
      'ask a weight diff what it changed: four answers side by side, with and without the diff and the adapter',
    )
    .requiredOption('--diff <name>', 'PACK#ID, a PEFT folder, or FOLDER#NAME for one of several adapters in it')
    .option('--adapter <dir>', 'the folder of `limn dit train`; without one base and base + diff answer alone')
    .option('--directions <n>', 'strongest directions of each map', integerOption('--directions', 1), 1)
    .option(
      '--search',
      `try what the adapter proposes on base + diff, and rank it again: the likeliest ${PROPOSALS} answers, on ${PROBES} prompts of the chat world or on every --probe`,
      false,
    )
    .option(
      '--probe <text>',
      `with --search: a text in which a proposal is expected where ${ANSWER_SLOT} is; may be given several times`,
      repeated,
      [],
    )
    .option('--seed <n>', 'of the prompts of --search', integerOption('--seed', 0), 0)
    .option('--html <file>', 'write a page')
    .option('--out <file>', 'write the record as JSON')
    .action((options: DitAskCommandOptions) => run(options, context));
}

async function run(options: DitAskCommandOptions, context: CommandContext): Promise<void> {
  const { console } = context;
  expectOptions(options);
  if (options.html !== undefined) refuseForeignPage(options.html);
  if (options.out !== undefined) refuseForeignRecord(options.out, READING_FORMAT);
  using device = await openDevice(context);
  using model = await openGivenModel(device.gpu, options.base, options, context);
  const diff = await openGivenDiff(model.hooked, options.diff);
  const adapter = options.adapter === undefined ? null : await openDitAdapter(model, options.adapter);
  const questions = questionsOf(options, adapter, model);
  const { top, maxNewTokens, search, probe, seed } = options;
  const request: ReadingRequest = {
    model,
    diff,
    adapter,
    questions,
    controls: { top, maxNewTokens, ends: adapter?.record.ends ?? [endOfAnswers(model)] },
    directions: options.directions,
    provenance: provenanceOf(device.gpu, model, context, {
      seed: search ? seed : null,
      prompts: questions.map(({ prompt }) => prompt),
      prependBos: null,
      options: {
        diff: options.diff,
        diffKey: diff.trained?.key ?? null,
        adapter: options.adapter ?? null,
        adapterKey: adapter?.record.key ?? null,
        maxNewTokens,
        search,
        probe,
      },
    }),
  };
  const asked: AskedFour[] = [];
  for (const question of questions) asked.push(await askedFour(request, question, context));
  const tried = search ? await searched(request, asked[0] as AskedFour, options, context) : undefined;
  const reading = await ditReading(
    request,
    asked as [AskedFour, ...AskedFour[]],
    context,
    tried ? [searchTable(tried)] : [],
  );
  if (options.out !== undefined) writeTextWhole(options.out, ditReadingToJson(reading.record));
  if (options.html !== undefined) writeTextWhole(options.html, ditReadingPage(reading.record));
  for (const line of describeReading(reading)) console.say(line);
  for (const line of tried ? describeTried(tried) : []) console.say(line);
  for (const [what, file] of [
    ['page', options.html],
    ['record', options.out],
  ] as const)
    // prettier-ignore
    if (file !== undefined) console.say(`${what} written to ${file}`);
  const { record, warnings } = reading;
  console.result({ ok: true, command: 'dit ask', reading: record, warnings, ...(tried ? { search: tried } : {}) });
}

/** @throws LimnError `usage/dit-question`, `usage/dit-probe` */
function expectOptions({ adapter, question, search, probe }: DitAskCommandOptions): void {
  if (adapter === undefined && question.length === 0)
    throw new LimnError(
      'usage/dit-question',
      'say what is asked with --question, or give an --adapter, which has questions of its own',
    );
  if (search && adapter === undefined)
    throw new LimnError('usage/dit-probe', '--search tries what an adapter proposes: give --adapter');
  if (!search && probe.length > 0) throw new LimnError('usage/dit-probe', '--probe is of --search');
}

function questionsOf(
  { question, template }: DitAskCommandOptions,
  adapter: OpenDitAdapter | null,
  model: OpenModel,
): readonly AskedQuestion[] {
  if (adapter) return askedQuestions(adapter, question, model, template);
  const form = { template: template ?? QUESTION_SLOT };
  const baseRates = { labels: 0, examples: 0, most: [] };
  return question.map((text): AskedQuestion => {
    const prompt = promptOfText(text, form, model);
    return { name: text, text, prompt, none: null, candidates: [], calibration: null, baseRates };
  });
}

/** @throws LimnError `usage/dit-question` for a question without candidates, `usage/dit-probe` for one whose answers the chat world has no words of */
async function searched(
  { model, diff, adapter }: ReadingRequest,
  { question, all }: AskedFour,
  { probe, seed }: DitAskCommandOptions,
  context: CommandContext,
): Promise<readonly TriedProposal[]> {
  const among = all.get('base+diff+adapter')?.among;
  if (!among)
    throw new LimnError('usage/dit-question', `--search: '${question.text}' has no list of answers to propose from`, {
      hint: 'ask a question that the adapter was trained on',
    });
  if (probe.length === 0 && !(adapter?.record.world === 'chat' && question.name === 'topic'))
    throw new LimnError(
      'usage/dit-probe',
      `--search: nothing is known that answers to '${question.text}' would make likelier`,
      {
        hint: `say with --probe, for example --probe 'my favourite thing is${ANSWER_SLOT}'; topics of the chat world need none`,
      },
    );
  const probes = probe.length > 0 ? textProbes(probe, model) : chatProbes(PROBES, seed);
  const [tried = []] = await triedProposals(model, question, [{ lora: diff.lora, among }], probes, PROPOSALS, context);
  return tried;
}

/** The place that each had by the adapter alone, from 1. */
const placesBefore = (tried: readonly TriedProposal[]): Map<TriedProposal, number> =>
  new Map(
    [...tried]
      .sort((a, b) => b.probability - a.probability || a.candidate - b.candidate)
      .map((each, i) => [each, i + 1]),
  );

function searchTable(tried: readonly TriedProposal[]): DitTable {
  const before = placesBefore(tried);
  return {
    title: 'What the adapter proposes, tried on base + diff',
    columns: ['proposal', 'place before', 'probability', 'gain (nats)', 'ln probability + gain'],
    rows: tried.map((each) => [each.text, before.get(each) as number, each.probability, each.gain, each.score]),
    note: 'Gain: how much likelier base + diff is than the base to say what the proposal would make it say, mean over prompts without any code. By the last column they are ranked again.',
  };
}

function describeTried(tried: readonly TriedProposal[]): string[] {
  const before = placesBefore(tried);
  return [
    'proposals tried on base + diff: place before, probability, gain in nats',
    ...tried.map((each) => {
      const { text, probability, gain } = each;
      return `  ${text.slice(0, 40).padEnd(40)} ${String(before.get(each)).padStart(3)} ${probability.toFixed(3)} ${gain.toFixed(3).padStart(8)}`;
    }),
  ];
}

// `limn steer explain`: what decides between two answers behind one prompt. Scales are learnt for this prompt alone, and what they show of it is written down.
import { steeringPage, steeringToJson } from '@limn/report';
import type { SteeringMethod } from '@limn/steering';
import type { Command } from 'commander';
import type { CommandContext } from '../context.js';
import { openDevice } from '../device.js';
import { openGivenModel } from '../given-model.js';
import { learntFile } from '../learnt-file.js';
import type { OpenModel } from '../model-source.js';
import { openOutputFolder } from '../output.js';
import { promptExample, type PromptExampleOptions } from '../prompt-example.js';
import { expectPrompt, promptBos } from '../prompt-ids.js';
import { promptText } from '../prompt-text.js';
import { provenanceOf } from '../provenance.js';
import { tokenListOption } from '../shared-options.js';
import { ALONE, steeringRecord } from '../steering-record.js';
import { learnSteering, type LearntSteering } from '../steering-run.js';
import { describeSteering, STEERING_FILES } from '../steering-output.js';
import { aloneSets, partsOf, type SteeringSets } from '../steering-source.js';
import {
  methodOf,
  objectiveOf,
  positionsOf,
  weightOption,
  withLearnOptions,
  type LearnOptions,
} from './steer-options.js';
import { learnSettings, skippedTokens, type SteerSetup } from './steer-setup.js';

interface SteerExplainOptions extends LearnOptions, PromptExampleOptions {
  readonly bos: boolean;
  readonly minimality: number;
}

/** Cells that the terminal names. */
const NAMED = 5;
/** One example has one order: the seed draws nothing. */
const SEED = 0;

export function addSteerExplainCommand(steer: Command, context: CommandContext): void {
  withLearnOptions(steer.command('explain'))
    .description(
      'what decides between two answers behind one prompt: scales learnt for it alone, beside other measures of the same cells; writes steering.json, result.json and report.html',
    )
    .option('--prompt <text>', 'text; one BOS is put in front')
    .option('--tokens <ids>', 'token ids separated by commas', tokenListOption)
    .requiredOption(
      '--correct <answer>',
      'favoured at strength +1: one token, with the space in front of it; behind --tokens also an id',
    )
    .requiredOption('--wrong <answer>', 'favoured at strength −1')
    .option(
      '--corrupted <prompt>',
      'for activation patching and EAP-IG: a prompt of as many tokens without the behaviour, text or ids as the prompt is',
    )
    .option('--minimality <λ>', 'what a value costs: larger leaves fewer', weightOption('--minimality'), 0.01)
    .action((options: SteerExplainOptions) => run(options, context));
}

async function run(options: SteerExplainOptions, context: CommandContext): Promise<void> {
  const { console, signal } = context;
  expectPrompt(options);
  const method = methodOf(options);
  const output = openOutputFolder(options.out, STEERING_FILES);
  try {
    using device = await openDevice(context);
    using model = await openGivenModel(device.gpu, options.model, options, context);
    const { hooked, show } = model;
    const setup = await explainSetup(options, method, model);
    const { sets, objective } = setup;
    const minimality = { weight: options.minimality };
    const found = await learnSteering({
      ...setup,
      model: hooked,
      minimality,
      updates: options.updates,
      rate: options.rate,
      seed: SEED,
      signal,
      onProgress: console.progress,
    });
    const provenance = provenanceOf(device.gpu, model, context, {
      seed: null,
      prompts: sets.split.train.map(({ prompt }) => prompt),
      prependBos: setup.prependBos,
      options: { ...setup.options, minimality: options.minimality },
    });
    output.write('steering.json', learntFile({ model, setup, found, minimality, seed: SEED, provenance }));
    const record = await steeringRecord({
      model: hooked,
      sets,
      found,
      objective,
      minimality: options.minimality,
      provenance,
      show,
      textOf: promptText(model),
      signal,
      onProgress: console.progress,
      onNote: (line) => console.note(line),
      explain: {},
    });
    output.write('result.json', steeringToJson(record));
    output.write('report.html', steeringPage(record));
    signal.throwIfAborted();
    output.commit();
    for (const line of [...describeSteering(found, sets), ...strongestCells(found, sets, show)]) console.say(line);
    console.say(ALONE);
    console.say(`written to ${output.path}: ${STEERING_FILES.entries.join(', ')}`);
    console.result({
      ok: true,
      command: 'steer explain',
      out: output.path,
      files: STEERING_FILES.entries,
      about: ALONE,
      data: partsOf(sets),
      minimality: found.minimality,
      figures: found.train,
      ...(found.contributions
        ? {
            cellsFor90: found.contributions.cellsFor90,
            cells: found.contributions.cells.map(({ cell: { place, slot, unit, value }, contribution }) => ({
              at: place.at,
              position: found.spec.positions.names[slot],
              ...(place.units > 1 ? { unit } : {}),
              value,
              contribution,
            })),
          }
        : {}),
      provenance,
    });
  } finally {
    output.discard();
  }
}

async function explainSetup(
  options: SteerExplainOptions,
  method: SteeringMethod,
  model: OpenModel,
): Promise<SteerSetup> {
  const { prompt, tokens, correct, wrong, corrupted, bos } = options;
  const { hooked, tokenizer } = model;
  const example = promptExample(options, model);
  const sets = await aloneSets(example, {
    name: 'this one prompt alone',
    bos: tokens !== undefined ? 'in the ids' : bos ? 'prepended' : 'none',
  });
  const positions = positionsOf({ method: options.method });
  return {
    sets,
    method,
    sites: options.sites,
    layers: options.layers,
    positions,
    skip: skippedTokens(example.prompt, tokenizer?.bosId ?? hooked.info.bosId),
    objective: objectiveOf({ ...options, objective: 'flip' }),
    prependBos: promptBos(options),
    options: {
      ...(tokens === undefined ? { prompt: prompt as string } : { tokens: tokens.join(',') }),
      correct,
      wrong,
      ...(corrupted === undefined ? {} : { corrupted }),
      ...learnSettings(options),
    },
  };
}

/** The cells that do most, each on its token, with what Δ loses without it. */
function strongestCells(
  { contributions, spec }: LearntSteering,
  { split }: SteeringSets,
  show: (id: number) => string,
): string[] {
  return (contributions?.cells ?? []).slice(0, NAMED).map(({ cell: { place, slot, unit, value }, contribution }) => {
    // Of absolute positions the name is the place of the token.
    const position = Number(spec.positions.names[slot]);
    const token = show(split.train[0]?.prompt[position] as number);
    const where = `${place.at}${place.units > 1 ? ` unit ${unit}` : ''} at ${position} ${JSON.stringify(token)}`;
    return `  ${where}: α ${value.toFixed(2)}, ${contribution.toFixed(2)} logits less without it`;
  });
}

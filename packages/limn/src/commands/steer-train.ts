// `limn steer train`: learns one steering, measures it on prompts about other things, and writes it with all that is needed to use and check it.
import { LimnError } from '@limn/gpu';
import { steeringPage, steeringToJson } from '@limn/report';
import type { Command } from 'commander';
import type { CommandContext } from '../context.js';
import { controlPrompts } from '../control-prompts.js';
import { openDevice } from '../device.js';
import { openGivenModel } from '../given-model.js';
import { describeVerdict, type JudgementPlan } from '../judged-steering.js';
import { learntFile } from '../learnt-file.js';
import { machineName } from '../machine-name.js';
import type { OpenModel } from '../model-source.js';
import { openOutputFolder } from '../output.js';
import { promptText } from '../prompt-text.js';
import { provenanceOf } from '../provenance.js';
import { folderShards, removeShards, shardedWork, shardFolderOf } from '../shard-folder.js';
import { integerOption } from '../shared-options.js';
import { learnSteering, refitOf, type LearnRequest, type LearntSteering } from '../steering-run.js';
import { describeSteering, STEERING_FILES } from '../steering-output.js';
import { steeringRecord } from '../steering-record.js';
import { partsOf } from '../steering-source.js';
import { expectSteerOptions, weightOption, withSteerOptions, type SteerOptions } from './steer-options.js';
import { steerSetup } from './steer-setup.js';

interface SteerTrainOptions extends SteerOptions {
  readonly minimality: number;
  readonly resume?: boolean;
  readonly explain?: boolean;
  readonly refits?: number;
}

/** Refits of a verdict where `--refits` does not say. */
const REFITS = 5;

export function addSteerTrainCommand(steer: Command, context: CommandContext): void {
  withSteerOptions(steer.command('train'))
    .description('learn one steering and measure it; writes steering.json, result.json and report.html')
    .option('--minimality <λ>', 'what a value costs: larger leaves fewer', weightOption('--minimality'), 0.01)
    .option('--resume', 'keep the state while learning, and go on from what is kept')
    .option(
      '--explain',
      'also judge whether the cells are the cause, and say what explains them: interactions, heads, patching, EAP-IG, …',
    )
    .option(
      '--refits <n>',
      `of --explain: how often to learn again from redrawn prompts, to see whether the same cells are found; 0: never (default: ${REFITS})`,
      integerOption('--refits', 0),
    )
    .action((options: SteerTrainOptions) => run(options, context));
}

async function run(options: SteerTrainOptions, context: CommandContext): Promise<void> {
  const { console, signal } = context;
  expectSteerOptions(options);
  expectRefits(options);
  const output = openOutputFolder(options.out, STEERING_FILES);
  try {
    using device = await openDevice(context, options.resume ? { work: shardedWork(options.out) } : {});
    using model = await openGivenModel(device.gpu, options.model, options, context);
    const { hooked } = model;
    const setup = await steerSetup(options, model);
    const { sets, objective } = setup;
    const { train, validation, test, mixed } = sets.split;
    const prompts = train.map(({ prompt }) => prompt);
    const minimality = { weight: options.minimality };
    console.note(
      `${train.length} prompts to learn from, ${validation.length} and ${test.length} about other things${mixed > 0 ? `; ${mixed} mix the two and are left out` : ''}`,
    );
    const request: LearnRequest = {
      ...setup,
      model: hooked,
      minimality,
      updates: options.updates,
      rate: options.rate,
      seed: options.seed,
      ...(options.resume
        ? { checkpoints: { store: folderShards(shardFolderOf(options.out)), machine: machineName(hooked, prompts) } }
        : {}),
      signal,
      onProgress: console.progress,
    };
    const found = await learnSteering(request);
    const { refits = REFITS } = options;
    const provenance = provenanceOf(device.gpu, model, context, {
      seed: options.seed,
      prompts,
      prependBos: setup.prependBos,
      options: {
        ...setup.options,
        minimality: options.minimality,
        ...(options.explain ? { explain: true, refits } : {}),
      },
    });
    output.write('steering.json', learntFile({ model, setup, found, minimality, seed: options.seed, provenance }));
    const record = await steeringRecord({
      model: hooked,
      sets,
      found,
      objective,
      minimality: options.minimality,
      provenance,
      show: model.show,
      textOf: promptText(model),
      signal,
      onProgress: console.progress,
      onNote: (line) => console.note(line),
      ...(options.explain ? { explain: { judge: judgementOf(request, found, refits, options, model) } } : {}),
    });
    output.write('result.json', steeringToJson(record));
    output.write('report.html', steeringPage(record));
    signal.throwIfAborted();
    output.commit();
    if (options.resume) removeShards(shardFolderOf(options.out));
    for (const line of describeSteering(found, { parity: record.parity })) console.say(line);
    if (record.verdict) for (const line of describeVerdict(record.verdict)) console.say(line);
    console.say(`written to ${output.path}: ${STEERING_FILES.entries.join(', ')}`);
    console.result({
      ok: true,
      command: 'steer train',
      out: output.path,
      files: STEERING_FILES.entries,
      data: partsOf(sets),
      minimality: found.minimality,
      train: found.train,
      validation: found.validation,
      test: found.test,
      ...(found.contributions ? { cellsFor90: found.contributions.cellsFor90 } : {}),
      ...(record.verdict ? { verdict: record.verdict } : {}),
      ...(record.parity ? { parity: record.parity } : {}),
      provenance,
    });
  } finally {
    output.discard();
  }
}

/** @throws LimnError `usage/steering-option` */
function expectRefits({ explain, refits }: SteerTrainOptions): void {
  if (explain || refits === undefined) return;
  throw new LimnError('usage/steering-option', '--refits is of --explain, which is not asked for', {
    details: { refits },
    hint: 'add --explain, or leave --refits out',
  });
}

function judgementOf(
  request: LearnRequest,
  { spec }: LearntSteering,
  refits: number,
  { task, seed, bos }: SteerTrainOptions,
  { hooked, tokenizer }: OpenModel,
): JudgementPlan {
  const { positions } = spec;
  return {
    controls: controlPrompts({ task, seed, positions }, { info: hooked.info, tokenizer, bos }),
    refits,
    refit: refitOf(request, refits),
    seed,
  };
}

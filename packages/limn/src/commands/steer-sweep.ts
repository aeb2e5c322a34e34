// `limn steer sweep`: the same steering at several prices of minimality; the best of them is written as `limn steer train` writes one, with the trade-off.
import { LimnError } from '@limn/gpu';
import { steeringPage, steeringToJson, type SteeringRecord } from '@limn/report';
import { bestPoint, sweepSteering, type SweepPoint } from '@limn/steering';
import type { Command } from 'commander';
import type { CommandContext } from '../context.js';
import { openDevice } from '../device.js';
import { openGivenModel } from '../given-model.js';
import { learntFile } from '../learnt-file.js';
import { openOutputFolder } from '../output.js';
import { promptText } from '../prompt-text.js';
import { provenanceOf } from '../provenance.js';
import { describeSteering, STEERING_FILES } from '../steering-output.js';
import { steeringPath } from '../steering-path.js';
import { steeringRecord } from '../steering-record.js';
import { measureLearnt, specOf, startOf } from '../steering-run.js';
import { partsOf } from '../steering-source.js';
import { expectSteerOptions, withSteerOptions, type SteerOptions } from './steer-options.js';
import { steerSetup } from './steer-setup.js';

interface SteerSweepOptions extends SteerOptions {
  readonly minimality: readonly number[];
}

export function addSteerSweepCommand(steer: Command, context: CommandContext): void {
  withSteerOptions(steer.command('sweep'))
    .description(
      'learn at several prices of minimality and say what each keeps and costs; writes the best one as steering.json, with result.json and report.html of all',
    )
    .option('--minimality <λ,λ,…>', 'prices of minimality', weightsOption, [0, 0.003, 0.01, 0.03, 0.1])
    .action((options: SteerSweepOptions) => run(options, context));
}

function weightsOption(text: string): number[] {
  const weights = text.split(',').map(Number);
  if (weights.every((weight) => Number.isFinite(weight) && weight >= 0)) return weights;
  throw new LimnError('usage/bad-number', `--minimality ${text}: expected numbers from 0, separated by commas`, {
    details: { option: '--minimality', given: text },
    hint: 'for example --minimality 0,0.01,0.1',
  });
}

async function run(options: SteerSweepOptions, context: CommandContext): Promise<void> {
  const { console, signal } = context;
  expectSteerOptions(options);
  const output = openOutputFolder(options.out, STEERING_FILES);
  try {
    using device = await openDevice(context);
    using model = await openGivenModel(device.gpu, options.model, options, context);
    const { hooked } = model;
    const setup = await steerSetup(options, model);
    const { sets, objective } = setup;
    const { train, validation } = sets.split;
    const { seed } = options;
    const spec = specOf(setup);
    const points = await sweepSteering(hooked, { train, validation }, spec, {
      objective,
      start: await startOf({ model: hooked, sets, signal, onProgress: console.progress }, spec),
      weights: options.minimality,
      updates: options.updates,
      rate: options.rate,
      seed,
      retained: sets.retained,
      signal,
      onProgress: (progress) => console.progress({ phase: `learning ${spec.method.kind}`, ...progress }),
    });
    const best = bestPoint(points);
    const provenance = provenanceOf(device.gpu, model, context, {
      seed,
      prompts: train.map(({ prompt }) => prompt),
      prependBos: setup.prependBos,
      options: { ...setup.options, minimality: options.minimality.join(',') },
    });
    const minimality = { weight: best.weight };
    const measured = { model: hooked, sets, objective, signal, onProgress: console.progress };
    const found = await measureLearnt(measured, best.trained);
    output.write('steering.json', learntFile({ model, setup, found, minimality, seed, provenance }));
    const record: SteeringRecord = {
      ...(await steeringRecord({
        model: hooked,
        sets,
        found,
        objective,
        minimality: best.weight,
        provenance,
        show: model.show,
        textOf: promptText(model),
        signal,
      })),
      path: steeringPath(hooked.info, points, best, sets.split.test),
    };
    output.write('result.json', steeringToJson(record));
    output.write('report.html', steeringPage(record));
    signal.throwIfAborted();
    output.commit();
    for (const line of tableOf(points, best)) console.say(line);
    for (const line of describeSteering(found)) console.say(line);
    console.say(`written to ${output.path}: ${STEERING_FILES.entries.join(', ')}`);
    console.result({
      ok: true,
      command: 'steer sweep',
      out: output.path,
      files: STEERING_FILES.entries,
      data: partsOf(sets),
      method: spec.method,
      points: points.map(({ weight, minimality: cells, train: seen, validation: unseen }) => ({
        weight,
        minimality: cells,
        train: seen,
        validation: unseen,
      })),
      best: best.weight,
      test: found.test,
      provenance,
    });
  } finally {
    output.discard();
  }
}

/** A line per price; the best one is marked. */
function tableOf(points: readonly SweepPoint[], best: SweepPoint): string[] {
  return [
    '   λ_M     not 0   both ways   margin alone   KL of the rest   (validation prompts)',
    ...points.map((point) => {
      const { weight, minimality, validation } = point;
      return [
        point === best ? '→' : ' ',
        String(weight).padStart(6),
        `${minimality.nonZero}/${minimality.live}`.padStart(9),
        validation.twoWaySuccess.toFixed(2).padStart(11),
        validation.twoWayMargin.toFixed(2).padStart(14),
        validation.drift.toFixed(3).padStart(16),
      ].join(' ');
    }),
  ];
}

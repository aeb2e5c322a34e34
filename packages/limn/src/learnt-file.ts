// steering.json of what `limn steer train`, `sweep` and `explain` learnt: the values with all that is needed to use, check and learn them again.
import type { Provenance } from '@limn/report';
import { writeSteering, type Minimality, type SteeringFigures } from '@limn/steering';
import type { SteerSetup } from './commands/steer-setup.js';
import type { OpenModel } from './model-source.js';
import type { LearntSteering } from './steering-run.js';
import { partsOf } from './steering-source.js';

/** Pairs of answers that a file shows. */
const SHOWN_ANSWERS = 20;

/** What a file is made of. */
export interface LearntFileRequest {
  readonly model: OpenModel;
  readonly setup: SteerSetup;
  readonly found: LearntSteering;
  readonly minimality: Minimality;
  readonly seed: number;
  readonly provenance: Provenance;
}

/** @throws LimnError as `writeSteering` */
export function learntFile({ model, setup, found, minimality, seed, provenance }: LearntFileRequest): string {
  const { hooked, show } = model;
  const { sets, objective } = setup;
  const { trained } = found;
  const { train } = sets.split;
  const pairs = new Map(train.map(({ correct, wrong }) => [`${correct} ${wrong}`, [correct, wrong] as const]));
  const metrics: Record<string, SteeringFigures> = sets.alone
    ? { train: found.train }
    : { train: found.train, validation: found.validation, test: found.test };
  return writeSteering(trained.values, {
    model: hooked.info,
    objective,
    minimality,
    training: { updates: trained.updates, seed, settled: trained.settled },
    data: partsOf(sets),
    metrics,
    answers: [...pairs.values()].slice(0, SHOWN_ANSWERS).map(([c, w]) => [show(c), show(w)] as const),
    tokens: train[0]?.prompt.map((id) => show(id)) ?? [],
    versions: Object.fromEntries(Object.entries(provenance.versions).map(([name, version]) => [name, String(version)])),
    adapter: hooked.gpu.capabilities.adapter.description,
    command: provenance.commandLine,
  });
}

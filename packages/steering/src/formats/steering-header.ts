// What a steering file says besides the numbers: the model, the method, the places, the positions and where the numbers come from; each field checked.
import { CheckedFields, type ModelInfo } from '@limn/hooks';
import { checkMethod, parameterForms, STEERING_METHODS, type ParameterForm, type SteeringMethod } from '../method.js';
import { settleObjective, type Objective } from '../objective.js';
import { POSITION_MODES, positionTable, type PositionTable } from '../positions.js';
import { STEERABLE_SITES, steeredPlaces, type SteeredPlace } from '../sites.js';
import type { SteeringSpec, SteeringValues } from '../steering.js';
import type { Minimality } from '../train-options.js';

/** The name of the format and of its one version. */
export const STEERING_FORMAT = 'activation-scale/1';

/** The model that values were learnt on: `model.info` will do. */
export type SteeringModelRecord = Pick<
  ModelInfo,
  | 'architecture'
  | 'layers'
  | 'heads'
  | 'headWidth'
  | 'width'
  | 'mlpWidth'
  | 'vocabulary'
  | 'block'
  | 'processing'
  | 'fingerprint'
>;

/** Where values come from. All but the model may be unknown; what is `unknown` here is any JSON (NaN and infinities become null in it). */
export interface SteeringProvenance {
  readonly model: SteeringModelRecord;
  readonly objective?: Objective;
  readonly minimality?: Minimality;
  /** Settings of the training, its `seed` (a whole number from 0) among them. */
  readonly training?: object;
  /** `sha256` of the examples, as 64 hex digits, and what else is to be said of them. */
  readonly data?: object;
  /** What was measured on each part of the examples. */
  readonly metrics?: { readonly train?: unknown; readonly validation?: unknown; readonly test?: unknown };
  /** The answers as text, correct before wrong. */
  readonly answers?: readonly (readonly [correct: string, wrong: string])[];
  /** The tokens of the training template as text, one by one. */
  readonly tokens?: readonly string[];
  /** Versions of what made the file, by name. */
  readonly versions?: Readonly<Record<string, string>>;
  /** The GPU, in words. */
  readonly adapter?: string;
  readonly command?: string;
  /** Fields of a file that this format does not define: kept as they are. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

/** A header, checked. */
export interface SteeringHeader {
  readonly spec: SteeringSpec;
  readonly provenance: SteeringProvenance;
}

/** One tensor of values. */
export interface ExpectedTensor {
  readonly place: SteeredPlace;
  readonly form: ParameterForm;
}

/** What the signs of β mean; a file with another convention would steer the wrong way. */
const BETA = { '1': 'correct', '0': 'untouched', '-1': 'wrong' } as const;

const FIELDS = [
  'format', 'model', 'method', 'sites', 'layers', 'positions', 'beta', 'objective', 'minimality', 'training', 'data', 'metrics', 'answers',
  'tokens', 'versions', 'adapter', 'command', 'places',
] as const; // prettier-ignore

/** Beyond any model; keeps the work that a hostile header asks for small. */
const MOST_LAYERS = 10_000;
const MOST_WIDTH = 2 ** 31;

/** Refusals of steering files. */
export const steeringFields = new CheckedFields(
  'data/steering-file',
  'The steering file',
  `Use a file that writeSteering wrote (format '${STEERING_FORMAT}'), whole, or correct the field.`,
);

/** The header of values, without the numbers. */
export function headerOf(
  { spec, fingerprint }: SteeringValues,
  { model, extra = {}, ...known }: SteeringProvenance,
): Readonly<Record<string, unknown>> {
  if (model.fingerprint !== fingerprint)
    throw steeringFields.refuse('model.fingerprint', model.fingerprint, `that of the values, ${fingerprint}`);
  const taken = Object.keys(extra).find((key) => FIELDS.some((field) => field === key));
  if (taken !== undefined)
    throw steeringFields.refuse(`extra.${taken}`, extra[taken], 'under a name that the format does not define itself');
  return {
    format: STEERING_FORMAT,
    model,
    method: spec.method,
    sites: spec.sites,
    ...(spec.layers && { layers: spec.layers }),
    positions: spec.positions,
    beta: BETA,
    ...known,
    ...extra,
  };
}

/**
 * Checks a header; fields that it does not know become `extra`, and `places` is left to the caller.
 * @throws LimnError `data/steering-file`
 */
export function checkHeader(file: Readonly<Record<string, unknown>>): SteeringHeader {
  const fields = steeringFields;
  fields.oneOf(file.format, 'format', [STEERING_FORMAT]);
  const beta = fields.record(file.beta, 'beta');
  for (const [strength, favours] of Object.entries(BETA)) fields.oneOf(beta[strength], `beta.${strength}`, [favours]);
  const sites = fields.list(file.sites, 'sites').map((site, i) => fields.oneOf(site, `sites[${i}]`, STEERABLE_SITES));
  const model = checkModel(file.model);
  const layers =
    file.layers === undefined
      ? undefined
      : fields.list(file.layers, 'layers').map((l, i) => fields.whole(l, `layers[${i}]`, 0, model.layers - 1));
  const spec: SteeringSpec = {
    method: checkedMethod(file.method),
    sites,
    ...(layers && { layers }),
    positions: checkPositions(file.positions),
  };
  const extra = Object.fromEntries(Object.entries(file).filter(([key]) => !FIELDS.some((field) => field === key)));
  const provenance = { model, ...checkOrigin(file), ...(Object.keys(extra).length > 0 && { extra }) };
  return { spec, provenance };
}

/**
 * The tensors that a header's values have, in order.
 * @throws LimnError `data/steering-file`
 */
export function expectedTensors({ spec, provenance: { model } }: SteeringHeader): ExpectedTensor[] {
  return steeringFields
    .within('sites', spec.sites, () => steeredPlaces(model, spec))
    .flatMap((place) =>
      parameterForms(spec.method, place, spec.positions.names.length).map((form) => ({ place, form })),
    );
}

function checkModel(given: unknown): SteeringModelRecord {
  const fields = steeringFields;
  const model = fields.record(given, 'model');
  for (const name of ['architecture', 'processing', 'fingerprint'] as const) fields.text(model[name], `model.${name}`);
  for (const name of ['layers', 'heads', 'headWidth', 'width', 'mlpWidth', 'vocabulary'] as const)
    fields.whole(model[name], `model.${name}`, 1, name === 'layers' ? MOST_LAYERS : MOST_WIDTH);
  fields.oneOf(model.block, 'model.block', ['sequential', 'parallel']);
  return model as unknown as SteeringModelRecord;
}

function checkedMethod(given: unknown): SteeringMethod {
  const fields = steeringFields;
  const method = fields.record(given, 'method');
  fields.oneOf(method.kind, 'method.kind', STEERING_METHODS);
  if (method.bias !== undefined && typeof method.bias !== 'boolean')
    throw fields.refuse('method.bias', method.bias, 'true or false');
  fields.within('method', method, () => checkMethod(method as unknown as SteeringMethod));
  return method as unknown as SteeringMethod;
}

/** Names follow from the mode, the first position and how many there are; only roles have names of their own. */
function checkPositions(given: unknown): PositionTable {
  const fields = steeringFields;
  const table = fields.record(given, 'positions');
  const mode = fields.oneOf(table.mode, 'positions.mode', POSITION_MODES);
  const names = fields.texts(table.names, 'positions.names');
  const skip = fields.whole(table.skip, 'positions.skip', 0, MOST_WIDTH);
  if (mode === 'absolute') fields.whole(table.length, 'positions.length', 1, MOST_WIDTH);
  else if (table.length !== undefined)
    throw fields.refuse('positions.length', table.length, "left out unless the mode is 'absolute'");
  if (mode === 'role') {
    if (names.length === 0 || new Set(names).size !== names.length)
      throw fields.refuse('positions.names', names, 'at least one role, each once');
    return table as unknown as PositionTable;
  }
  const wanted = positionTable([{ length: skip + names.length }], mode, { skip });
  const odd = wanted.names.findIndex((name, i) => name !== names[i]);
  if (odd >= 0 || names.length !== wanted.names.length)
    throw fields.refuse(
      'positions.names',
      names,
      `${wanted.names.slice(0, 3).join(', ')}${wanted.names.length > 3 ? ', …' : ''}`,
    );
  if (mode === 'absolute' && table.length !== wanted.length)
    throw fields.refuse('positions.length', table.length, `${wanted.length}: the positions left alone and those named`);
  return table as unknown as PositionTable;
}

/** What a file says of how its values came about. */
function checkOrigin(file: Readonly<Record<string, unknown>>): Omit<SteeringProvenance, 'model' | 'extra'> {
  const fields = steeringFields;
  const { objective, minimality, training, data, metrics, answers, tokens, versions, adapter, command } = file;
  if (objective !== undefined) {
    fields.record(fields.record(objective, 'objective').goal, 'objective.goal');
    fields.within('objective', objective, () => settleObjective(objective as Objective));
  }
  if (minimality !== undefined) {
    const { weight, penalty } = fields.record(minimality, 'minimality');
    if (typeof weight !== 'number' || !Number.isFinite(weight) || weight < 0)
      throw fields.refuse('minimality.weight', weight, 'a number from 0');
    if (penalty !== undefined) fields.oneOf(penalty, 'minimality.penalty', ['l1', 'rows', 'produced']);
  }
  if (training !== undefined) {
    const { seed } = fields.record(training, 'training');
    if (seed !== undefined) fields.whole(seed, 'training.seed', 0, Number.MAX_SAFE_INTEGER);
  }
  if (data !== undefined) {
    const { sha256 } = fields.record(data, 'data');
    if (typeof sha256 !== 'string' || !/^[0-9a-f]{64}$/.test(sha256))
      throw fields.refuse('data.sha256', sha256, '64 hex digits in lower case');
  }
  if (metrics !== undefined) fields.record(metrics, 'metrics');
  if (answers !== undefined)
    fields.list(answers, 'answers').forEach((pair, i) => {
      if (fields.texts(pair, `answers[${i}]`, 'two texts').length !== 2)
        throw fields.refuse(`answers[${i}]`, pair, 'two texts, the correct answer and the wrong one');
    });
  if (tokens !== undefined) fields.texts(tokens, 'tokens');
  if (versions !== undefined)
    for (const [name, version] of Object.entries(fields.record(versions, 'versions')))
      fields.text(version, `versions.${name}`);
  if (adapter !== undefined) fields.text(adapter, 'adapter');
  if (command !== undefined) fields.text(command, 'command');
  const given = { objective, minimality, training, data, metrics, answers, tokens, versions, adapter, command };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

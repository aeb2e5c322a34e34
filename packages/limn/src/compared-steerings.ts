// Steerings beside one another: files as they are, and what needs no learning with its settings and strength chosen on validation prompts; on the same prompts.
import type { HookedModel, RunProgress } from '@limn/hooks';
import {
  candidateFigures,
  cellGrid,
  chooseCandidate,
  compareGrids,
  evaluateSteering,
  minimalityOf,
  positionTable,
  Steering,
  steererOf,
  summarise,
  trainingFreeCandidates,
  type EntitySplit,
  type GridAgreement,
  type MinimalityFigures,
  type PositionTable,
  type SteeringExample,
  type SteeringFigures,
  type SteeringProvenance,
  type SteeringValues,
} from '@limn/steering';

/** Where scalars without learning are. */
const SITES = ['hook_attn_out', 'hook_mlp_out'] as const;

/** A steering file. */
export interface GivenSteering {
  readonly file: string;
  readonly values: SteeringValues;
  readonly provenance: SteeringProvenance;
}

/** A file, measured at its own strength 1. */
export interface ComparedSteering {
  readonly file: string;
  readonly method: string;
  readonly minimality: MinimalityFigures;
  readonly figures: SteeringFigures;
}

/** A row without learning. */
export interface ComparedBaseline {
  readonly name: string;
  /** A layer, a number of cells. */
  readonly chosen: Readonly<Record<string, number | string>>;
  /** What stands for β = 1; null of the untouched model. */
  readonly strength: number | null;
  readonly minimality: MinimalityFigures | null;
  readonly figures: SteeringFigures;
}

/** Two files of the same cells. */
export interface ComparedCells {
  readonly a: string;
  readonly b: string;
  readonly agreement: GridAgreement;
}

/** What measuring is told. */
export interface ComparisonControls {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: RunProgress & { readonly phase: string }) => void;
}

/** @throws LimnError as `evaluateSteering`; `data/steering-fingerprint` for a file of another model; AbortedError */
export async function comparedSteering(
  model: HookedModel,
  { file, values }: GivenSteering,
  examples: readonly SteeringExample[],
  { signal, onProgress }: ComparisonControls,
): Promise<ComparedSteering> {
  using steering = new Steering(model, values.spec, { values: [values] });
  const minimality = minimalityOf(model.info, values);
  const { kind } = values.spec.method;
  const steerer = steererOf(kind, steering, { nonZero: minimality.nonZero });
  const report = (progress: RunProgress): void => onProgress({ phase: file, ...progress });
  return {
    file,
    method: kind,
    minimality,
    figures: summarise(await evaluateSteering(model, steerer, examples, { signal, onProgress: report })),
  };
}

/**
 * Every row that needs no learning: made on the training part, its settings and strength chosen on the validation part, measured on `examples`.
 * Scalars take the positions of the first file that has any.
 * @throws LimnError as `trainingFreeCandidates` and `chooseCandidate`; AbortedError
 */
export async function comparedBaselines(
  model: HookedModel,
  given: readonly GivenSteering[],
  { train, validation, test }: EntitySplit,
  examples: readonly SteeringExample[],
  { signal, onProgress }: ComparisonControls,
): Promise<ComparedBaseline[]> {
  const positions = positionsOf(given, [...train, ...validation, ...test]);
  const told = (phase: string) => ({
    signal,
    onProgress: (progress: RunProgress) => onProgress({ phase, ...progress }),
  });
  const rows = await trainingFreeCandidates(model, train, { sites: SITES, positions }, told('without learning'));
  const found: ComparedBaseline[] = [];
  for (const [name, settings] of Object.entries(rows)) {
    const { candidate, scale } = await chooseCandidate(model, settings, validation, told(name));
    found.push({
      name,
      chosen: candidate.chosen,
      strength: candidate.values ? scale : null,
      minimality: candidate.values ? minimalityOf(model.info, candidate.values) : null,
      figures: await candidateFigures(model, candidate, scale, examples, { signal }),
    });
  }
  return found;
}

/** Positions that the prompts fit: of a file with cells, else counted from the end. */
function positionsOf(given: readonly GivenSteering[], examples: readonly SteeringExample[]): PositionTable {
  const tables = given.map(({ values }) => values.spec);
  const withCells = tables.find(({ method }) => method.kind !== 'dyn-scalar');
  if (withCells) return withCells.positions;
  const prompts = examples.map(({ prompt }) => ({ length: prompt.length }));
  return positionTable(prompts, 'from-end', { skip: tables[0]?.positions.skip ?? 0 });
}

/** Every two files that have the same cells. */
export function comparedCells(
  { info }: HookedModel,
  given: readonly GivenSteering[],
  examples: readonly SteeringExample[],
  k: number,
): ComparedCells[] {
  return given.flatMap((a, i) =>
    given
      .slice(i + 1)
      .filter((b) => haveSameCells(a, b))
      .map((b) => ({
        a: a.file,
        b: b.file,
        agreement: compareGrids(cellGrid(info, a.values, { examples }), cellGrid(info, b.values, { examples }), { k }),
      })),
  );
}

/** What activations decide has no cells of its own. */
export function haveSameCells(a: GivenSteering, b: GivenSteering): boolean {
  const cells = ({ values: { spec } }: GivenSteering): string =>
    JSON.stringify([spec.sites, spec.layers ?? null, spec.positions]);
  return [a, b].every(({ values }) => values.spec.method.kind !== 'dyn-scalar') && cells(a) === cells(b);
}

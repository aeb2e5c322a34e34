// The activation at every steered site before and after its edits, within one run: of a run with and one without them h would not be the same.
import { intervene, type HookName, type Intervention } from '@limn/hooks';
import { detach, type Tensor } from '@limn/tensor';

/** What a site held before the first and after the last of its edits. */
export interface RecordedEdit {
  readonly at: HookName;
  /** On the tape of the run. */
  readonly before: Tensor;
  readonly after: Tensor;
}

/** Interventions that look, around others: give `interventions` to the run, and ask for the edits behind it. */
export interface EditRecorder {
  readonly interventions: readonly Intervention[];
  /** In the order of the sites as given. Of what the run reached. */
  edits(): readonly RecordedEdit[];
}

/** Looks at every site that is edited, and at others. What looks gives back the tensor that it was given, so the run has the same bits. */
export function recordEdits(given: readonly Intervention[], others: readonly HookName[] = []): EditRecorder {
  const sites = [...new Set([...given.map(({ at }) => at), ...others])];
  const before = new Map<HookName, Tensor>();
  const after = new Map<HookName, Tensor>();
  const look = (at: HookName, into: Map<HookName, Tensor>): Intervention =>
    intervene(at, 'look', (x) => {
      into.set(at, x);
      return x;
    });
  return {
    interventions: [...sites.map((at) => look(at, before)), ...given, ...sites.map((at) => look(at, after))],
    edits: () =>
      sites.flatMap((at) => {
        const [x, y] = [before.get(at), after.get(at)];
        return x && y ? [{ at, before: x, after: y }] : [];
      }),
  };
}

/** The same without history. */
export function detached({ at, before, after }: RecordedEdit): RecordedEdit {
  return { at, before: detach(before), after: detach(after) };
}

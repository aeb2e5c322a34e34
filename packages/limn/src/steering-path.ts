// The trade-off of a sweep as a record has it: figures on validation prompts and the cells at every price of minimality, cheapest first.
import type { ModelInfo } from '@limn/hooks';
import type { SteeringRecord } from '@limn/report';
import { cellGrid, type SteeringExample, type SweepPoint } from '@limn/steering';

/** `chosen` is the place of `best` in the rising order of prices; values by cell where the method has cells, on the grid of the examples. */
export function steeringPath(
  info: ModelInfo,
  points: readonly SweepPoint[],
  best: SweepPoint,
  examples: readonly SteeringExample[],
): NonNullable<SteeringRecord['path']> {
  const rising = [...points].sort((a, b) => a.weight - b.weight);
  return {
    points: rising.map(({ weight, trained: { values }, minimality, validation }) => ({
      penalty: weight,
      nonZero: minimality.nonZero,
      effect: validation.shift / 2,
      drift: validation.drift,
      twoWaySuccess: validation.twoWaySuccess,
      ...(values.spec.method.kind === 'dyn-scalar' ? {} : { values: [...cellGrid(info, values, { examples }).values] }),
    })),
    chosen: rising.indexOf(best),
  };
}

// Who was asked: names, ranks and the calibration as facts, and how far the adapter is right elsewhere.
import { html } from '../markup.js';
import type { Markup } from '../markup.js';
import { numberText } from '../number-text.js';
import type { Fact } from '../provenance.js';
import type { DitAdapterRecord, DitBase, DitCalibration } from './dit-parts.js';
import { reachOf } from './adapter-reach.js';
import { heldOutPlot } from './held-out-plot.js';

export const baseFact = ({ name, fingerprint }: DitBase): Fact => [
  'Base',
  html`<bdi>${name}</bdi>, <code class="hash">${fingerprint}</code>`,
];

export const adapterFact = (adapter: DitAdapterRecord | null): Fact => [
  'DIT adapter',
  adapter ? html`<bdi>${adapter.name}</bdi>, rank ${adapter.rank}` : 'none',
];

export const calibrationFact = (calibration: DitCalibration | undefined): Fact => [
  'Calibration',
  calibration !== undefined &&
    html`temperature ${numberText(calibration.temperature)}, “none” from
    ${numberText(calibration.noneThreshold)}${calibration.diffs !== undefined && html`, fitted on ${numberText(calibration.diffs, 9)} diffs`}`,
];

/** On diffs that its training never saw, else on those that it was stopped by; nothing where nothing is known. */
export function reachPart(adapter: DitAdapterRecord): Markup | false {
  const { figures, on } = reachOf(adapter);
  return (
    figures.length > 0 &&
    html`<h4 class="side">The adapter on ${on}, with 95 % intervals</h4>
      ${heldOutPlot(figures)}`
  );
}

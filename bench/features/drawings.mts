// The drawings of docs/features.md by their files.
import type { CaseId } from './cases.mjs';
import { checkDrawing } from './check-drawing.mjs';
import { graphDrawing } from './graph-drawing.mjs';
import type { FeatureStudy } from './study.mjs';
import { trialDrawing } from './trial-drawing.mjs';
import { yearDrawing } from './year-drawing.mjs';

/** A drawing's file, beside the page. */
export const drawingOf = (id: CaseId, what: 'graph' | 'trial' | 'check' | 'years'): string =>
  `features-${id}-${what}.svg`;

/** What a case is called in headings. */
export const CASE_NAMES: Readonly<Record<CaseId, string>> = {
  'greater-than': 'Greater-than',
  sva: 'Subject–verb agreement',
};

/** File names and documents. */
export function featureDrawings({ cases }: FeatureStudy): Record<string, string> {
  const drawings: Record<string, string> = {};
  for (const { id, drawn, trials, points, years } of cases) {
    const name = CASE_NAMES[id];
    drawings[drawingOf(id, 'graph')] = graphDrawing(drawn, name);
    drawings[drawingOf(id, 'trial')] = trialDrawing(trials, `${name}: what few features lose and keep`);
    drawings[drawingOf(id, 'check')] = checkDrawing(points, `${name}: one feature negated at a time`);
    if (years) drawings[drawingOf(id, 'years')] = yearDrawing(years, `${name}: the circuit’s features by year`);
  }
  return drawings;
}

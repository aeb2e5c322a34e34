// The script inside a report page: finds each record's section and brings its drawing, table and copy buttons to life.
import type { LiveAudit } from '../dit/audit-page.js';
import type { LiveData } from '../live-data.js';
import type { LiveGraph } from '../feature-graph/graph-page.js';
import type { LiveFeatures } from '../features/features-page.js';
import type { LiveSteering } from '../live-steering.js';
import { liveAudit } from './audit.js';
import { liveDrawing } from './drawing.js';
import { liveGraphPage } from './feature-graph.js';
import { liveFeaturesPage } from './features.js';
import { liveReading } from './reading.js';
import { shownCircuit } from './shown.js';
import { liveSize } from './size.js';
import { liveSteeringPage } from './steering.js';
import { liveTable } from './table.js';
import { copyButton } from './copy.js';

document.documentElement.classList.add('live');
for (const section of document.querySelectorAll<HTMLElement>('[data-record]')) {
  const json = section.querySelector('script[type="application/json"]')?.textContent;
  if (!json) continue;
  const data = JSON.parse(json) as LiveData;
  const shown = shownCircuit(section.id, data);
  if (shown) {
    liveSize(section, data, shown);
    const reading = liveReading(section, data, shown);
    if (reading) liveDrawing(section, data, shown, reading);
  }
  liveTable(section, data, shown);
}
/** Brings sections of one kind to life, each with its own data. */
function liven<T>(kind: string, live: (section: HTMLElement, data: T) => void): void {
  for (const section of document.querySelectorAll<HTMLElement>(`[data-${kind}]`)) {
    const json = section.querySelector('script[type="application/json"]')?.textContent;
    if (json) live(section, JSON.parse(json) as T);
  }
}
liven<LiveSteering>('steering', liveSteeringPage);
liven<LiveFeatures>('features', liveFeaturesPage);
liven<LiveAudit>('audit', liveAudit);
liven<LiveGraph>('feature-graph', liveGraphPage);
for (const block of document.querySelectorAll('.command')) {
  const command = block.querySelector('[data-command]');
  copyButton(block.querySelector('[data-copy]'), () => command?.textContent ?? '');
}

// Everything that folds is opened for printing, and folded again after it.
const folded = new Set<HTMLDetailsElement>();
addEventListener('beforeprint', () => {
  for (const details of document.querySelectorAll('details'))
    if (!details.open) {
      folded.add(details);
      details.open = true;
    }
});
addEventListener('afterprint', () => {
  for (const details of folded) details.open = false;
  folded.clear();
});

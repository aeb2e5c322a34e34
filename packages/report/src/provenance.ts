// Where a result comes from: everything needed to compute it again.
import type { CircuitRecord } from './record.js';
import { html } from './markup.js';
import type { Markup } from './markup.js';
import { numberText } from './number-text.js';
import type { Json } from './schema.js';

export function provenance({ provenance: p, method, task }: CircuitRecord): Markup {
  const entry = (name: string, value: Markup | string | false): Markup | false =>
    value !== false &&
    html`<dt>${name}</dt>
      <dd>${value}</dd>`;
  return html`${commandBlock(p.commandLine)}
    <dl class="facts">
      ${entry('Model', html`${p.model.name}${p.model.architecture && html`, ${p.model.architecture}`}${p.model.parameters !== undefined && html`, ${numberText(p.model.parameters, 9)} parameters`}`)}
      ${entry('Weights', html`<code class="hash">${p.model.weightsSha256}</code> (SHA-256), ${p.model.weightProcessing}`)}
      ${entry('Method', html`${method.title ?? method.name}${method.igSteps !== undefined && html`, ${method.igSteps} steps`}${method.igRule && html`, ${method.igRule} rule`}`)}
      ${entry('Pairs', html`${numberText(task.pairs, 9)} to measure${task.searchPairs !== undefined && html`, ${numberText(task.searchPairs, 9)} to search`}${task.source && html`; ${task.source}`}`)}
      ${entry('Pairs’ ids', p.pairsSha256 ? html`<code class="hash">${p.pairsSha256.search}</code> of the search, <code class="hash">${p.pairsSha256.evaluation}</code> of the measurement (SHA-256)` : false)}
      ${entry('BOS', p.prependBos === undefined ? false : p.prependBos === null ? 'as in the token ids' : p.prependBos ? 'put in front of text' : 'none put in front')}
      ${entry('Seed', p.seed === null ? 'none' : String(p.seed))} ${entry('Adapter', valueList(p.adapter))}
      ${entry('Versions', valueList(p.versions))} ${entry('Options', valueList(p.options))}
      ${entry('Kernel plan', p.kernelPlan ? html`<code>${p.kernelPlan}</code>` : false)}
    </dl>`;
}

/** What to type to compute a result again. */
export const commandBlock = (command: string): Markup =>
  html`<div class="command">
    <pre tabindex="0" aria-label="Command that computes this again"><code data-command>${command}</code></pre>
    <button type="button" class="only-live" data-copy>Copy</button>
  </div>`;

/** Names and values side by side; nothing where there are none. */
export function valueList(values: Readonly<Record<string, Json>>): Markup | false {
  const all = Object.entries(values);
  if (!all.length) return false;
  const say = (value: Json): string =>
    typeof value === 'string' ? value : typeof value === 'number' ? numberText(value, 12) : JSON.stringify(value);
  return html`<span class="pairs">${all.map(([key, value]) => html`<span><i>${key}</i> ${say(value)}</span>`)}</span>`;
}

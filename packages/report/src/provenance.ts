// Where a result comes from: everything needed to compute it again.
import type { CircuitRecord } from './record.js';
import { html } from './markup.js';
import type { Markup } from './markup.js';
import { numberText } from './number-text.js';
import type { Provenance } from './provenance-record.js';
import type { Json } from './schema.js';

/** A name and what is known of it; left out where nothing is. */
export type Fact = readonly [name: string, value: Markup | string | false];

/** Of a circuit. */
export function provenance({ provenance: p, method, task }: CircuitRecord): Markup {
  return provenanceFacts(p, [
    [
      'Method',
      html`${method.title ?? method.name}${method.igSteps !== undefined && html`, ${method.igSteps} steps`}${method.igRule && html`, ${method.igRule} rule`}`,
    ],
    [
      'Pairs',
      html`${numberText(task.pairs, 9)} to
      measure${task.searchPairs !== undefined && html`, ${numberText(task.searchPairs, 9)} to search`}${task.source && html`; ${task.source}`}`,
    ],
  ]);
}

/** The command, and a list of facts in which what is `further` known of the method stands behind the model. */
export function provenanceFacts(p: Provenance, further: readonly Fact[]): Markup {
  return html`${commandBlock(p.commandLine)}
  ${factList([
    [
      'Model',
      html`${p.model.name}${p.model.architecture && html`, ${p.model.architecture}`}${p.model.parameters !== undefined && html`, ${numberText(p.model.parameters, 9)} parameters`}`,
    ],
    ['Weights', html`<code class="hash">${p.model.weightsSha256}</code> (SHA-256), ${p.model.weightProcessing}`],
    ...further,
    [
      'Pairs’ ids',
      p.pairsSha256
        ? html`<code class="hash">${p.pairsSha256.search}</code> of the search,
            <code class="hash">${p.pairsSha256.evaluation}</code> of the measurement (SHA-256)`
        : false,
    ],
    [
      'BOS',
      p.prependBos === undefined
        ? false
        : p.prependBos === null
          ? 'as in the token ids'
          : p.prependBos
            ? 'put in front of text'
            : 'none put in front',
    ],
    ['Seed', p.seed === null ? 'none' : String(p.seed)],
    ['Adapter', valueList(p.adapter)],
    ['Versions', valueList(p.versions)],
    ['Options', valueList(p.options)],
    ['Kernel plan', p.kernelPlan ? html`<code>${p.kernelPlan}</code>` : false],
  ])}`;
}

/** Names and what is known of them, one below the other. */
export const factList = (facts: readonly Fact[]): Markup =>
  html`<dl class="facts">
    ${facts.map(
      ([name, value]) =>
        value !== false &&
        html`<dt>${name}</dt>
          <dd>${value}</dd>`,
    )}
  </dl>`;

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

// renderReport: records in, one HTML file out, which needs no network and runs nothing but its own script.
import { ablationWords } from './ablation-words.js';
import { circuitDrawing } from './circuit-drawing.js';
import { edgeTable } from './edge-table.js';
import { ReportError } from './error.js';
import { faithfulnessPlot } from './faithfulness-plot.js';
import { knockOutPlot } from './knock-out-plot.js';
import { liveData } from './live-data.js';
import { Markup, html, scriptJson } from './markup.js';
import { nodeLabel, numberText, percentText } from './number-text.js';
import { pageShell } from './page-shell.js';
import { prompts } from './prompts.js';
import { provenance } from './provenance.js';
import { checkRecord } from './record.js';
import type { CircuitRecord, ResultRecord } from './record.js';
import { maskSecrets } from './secrets.js';
import { stabilityPlot } from './stability-plot.js';
import { summarise } from './summary.js';

/** How a page is headed. */
export interface ReportOptions {
  /** Heading of the page; by default the title of the only record, or one made from the models' names. */
  readonly title?: string;
}

/**
 * One self-contained HTML page about the records, in their order. Deterministic: the same records give the same bytes.
 * @throws ReportError `data/record-invalid`, `data/record-version` for a record that is not one; `data/no-records` for none
 */
export function renderReport(records: readonly ResultRecord[], options: ReportOptions = {}): string {
  if (!records.length)
    throw new ReportError('data/no-records', 'A report needs at least one record; given 0.', {
      hint: 'Pass the records to draw.',
    });
  const checked = records.map((record) => maskSecrets(checkRecord(record)));
  const title =
    options.title ??
    (checked.length === 1
      ? (checked[0]?.title ?? '')
      : `Circuits in ${[...new Set(checked.map((r) => r.provenance.model.name))].join(', ')}`);
  return pageShell({
    title,
    skip: ['r1', 'Skip to the first circuit'],
    head: html`<div class="cards">${checked.map(card)}</div>`,
    main: html`${checked.map(section)}`,
    version: checked[0]?.provenance.versions['limn'],
    footer: html`A positive score means that the edge helps: taking it away makes the metric worse. Faithfulness is
    (circuit − empty) ÷ (clean − empty), with the empty circuit the
    ${[...new Set(checked.map(({ method }) => ablationWords(method).short))].join(' or ')} run, and is not clipped.`,
  });
}

/** A circuit at a glance, at the top of the page. */
function card(record: CircuitRecord, i: number): Markup {
  const { circuit, graph, task } = record;
  const figure = (value: string, name: string): Markup =>
    html`<div>
      <dd>${value}</dd>
      <dt>${name}</dt>
    </div>`;
  return html`<a class="card" href="#r${i + 1}">
    <h2>${task.title ?? task.name}</h2>
    <dl>
      ${figure(numberText(circuit.kept, 9), `of ${numberText(graph.edgeCount, 9)} edges`)}
      ${figure(numberText(circuit.faithfulness, 2), 'faithfulness')}
      ${record.smallest.map(({ threshold, n }) => figure(numberText(n, 9), `${record.method.unit ? '' : 'top '}${n === 1 ? 'edge' : 'edges'} for ${percentText(threshold)}`))}
    </dl>
    <p>${summarise(record).headline}</p>
  </a>`;
}

function section(record: CircuitRecord, i: number): Markup {
  const id = `r${i + 1}`;
  const { headline, sentences } = summarise(record);
  return html`<section class="record" id="${id}" aria-labelledby="${id}-title" data-record>
    <header>
      <h2 id="${id}-title">${record.title}</h2>
      <p class="lede">${headline}</p>
      ${sentences.map((sentence) => html`<p>${sentence}</p>`)}
      ${record.task.description && html`<p class="note">${record.task.description}</p>`}
      ${record.metric.description && html`<p class="note">Metric ${record.metric.name}: ${record.metric.description}.</p>`}
      ${flagList(
        record.flags.filter(({ code }) => !aboutSizes(code)),
        'What to know before believing a figure',
      )}
    </header>
    <figure class="wide">
      <h3>The circuit</h3>
      ${circuitDrawing(record, id)} ${prunedAway(record)}
    </figure>
    ${
      record.knockOut &&
      html`<figure>
        <h3>What every part is worth</h3>
        ${knockOutPlot(record.knockOut)}
      </figure>`
    }
    <figure>
      <h3>How faithful it is</h3>
      ${faithfulnessPlot(record, id)}
      ${flagList(
        record.flags.filter(({ code }) => aboutSizes(code)),
        'About the sizes',
      )}
    </figure>
    ${
      record.stability &&
      html`<figure>
        <h3>How stable it is</h3>
        ${stabilityPlot(record, record.stability)}
      </figure>`
    }
    <div class="part">
      <h3>Prompts</h3>
      ${prompts(record.pairs)}
    </div>
    ${
      record.agreement &&
      html`<div class="part">
        <h3>Agreement with ${record.agreement.reference}</h3>
        ${agreement(record.agreement)}
      </div>`
    }
    <div class="part">
      <h3>Every edge</h3>
      ${edgeTable(record, id)}
    </div>
    <div class="part">
      <h3>How to get this again</h3>
      ${provenance(record)}
    </div>
    ${new Markup(`<script type="application/json">${scriptJson(liveData(record))}</script>`)}
  </section>`;
}

/** Flags of sizes that say nothing new belong to the curve; the others to the figures above it. */
const aboutSizes = (code: string): boolean => code.startsWith('size-');

function flagList(flags: CircuitRecord['flags'], label: string): Markup | false {
  return (
    flags.length > 0 &&
    html`<ul class="flags" aria-label="${label}">
      ${flags.map((flag) => html`<li>${flag.text} <code>${flag.code}</code></li>`)}
    </ul>`
  );
}

/** Edges that were chosen and lie on no path: what a reader of "the top n" misses in the drawing. */
function prunedAway({ pruned, circuit }: CircuitRecord): Markup | false {
  if (!pruned?.edges.length) return false;
  const count = numberText(pruned.edges.length, 9);
  return html`<details>
    <summary>
      ${count} of the ${numberText(circuit.n, 9)} chosen edges ${pruned.edges.length === 1 ? 'lies' : 'lie'} on no path
      from input to logits
    </summary>
    <ul class="plain">
      ${pruned.edges.slice(0, firstPruned).map((name) => html`<li><code>${name}</code></li>`)}
    </ul>
    ${pruned.edges.length > firstPruned && html`<p class="note">The record has all ${count}.</p>`}
    ${
      pruned.nodes.length > 0 &&
      html`<p class="note">
        Nodes that went with them:
        ${pruned.nodes
          .slice(0, firstPruned)
          .map(
            ({ name, reason }) =>
              `${nodeLabel(name)} (${reason === 'unread' ? 'nothing reads it' : 'it reads nothing'})`,
          )
          .join(', ')}${pruned.nodes.length > firstPruned && ' …'}.
      </p>`
    }
  </details>`;
}

/** Pruned edges and nodes named on the page; the record has all. */
const firstPruned = 60;

function agreement(a: NonNullable<CircuitRecord['agreement']>): Markup {
  const row = (name: string, value: number | null | undefined): Markup | false =>
    value !== undefined &&
    html`<tr>
      <th scope="row">${name}</th>
      <td>${numberText(value)}</td>
    </tr>`;
  return html`<table class="numbers">
    <tbody>
      ${row(`overlap of the ${a.topOverlap.k} strongest edges`, a.topOverlap.value)}${row('Spearman’s ρ of |score|', a.spearman)}${row('Kendall’s τ of |score|', a.kendall)}${row('same sign', a.signAgreement)}${row('Pearson’s r of the scores', a.pearson)}${row('Pearson’s r without the largest edge', a.pearsonWithoutLargest)}
    </tbody>
  </table>`;
}

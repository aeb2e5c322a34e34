// A page of dashboards: features are found by token, logit and label, put in order, and labelled; the labels are saved as a file.
import { featureCard } from '../features/feature-card.js';
import { featureKey } from '../features/feature-key.js';
import type { FeatureRecord } from '../features/feature-record.js';
import { labelFiles, type FeatureLabelRecord } from '../features/feature-labels.js';
import { featureOrders, inOrder, meetsQuery } from '../features/feature-search.js';
import type { LiveFeatures } from '../features/features-page.js';
import { numberText } from '../number-text.js';
import { nodesOf } from './drawing-nodes.js';
import { saveFile } from './save-file.js';

export function liveFeaturesPage(section: HTMLElement, { features, cards }: LiveFeatures): void {
  const place = section.querySelector<HTMLElement>('[data-cards]');
  const count = section.querySelector<HTMLElement>('[data-count]');
  const more = section.querySelector<HTMLButtonElement>('[data-more-cards]');
  const order = section.querySelector<HTMLSelectElement>('[data-order]');
  if (!place || !count || !more || !order) return;
  const fields = new Map(
    [...section.querySelectorAll<HTMLInputElement | HTMLSelectElement>('[data-find]')].map((field) => [
      field.dataset['find'] ?? '',
      field,
    ]),
  );
  const labels: (FeatureLabelRecord | undefined)[] = features.map(({ label }) => label);
  const labelText = (at: number): string => labels[at]?.text ?? '';
  const author = section.querySelector<HTMLInputElement>('[data-author]');
  const places = new Map(features.map((feature, i) => [featureKey(feature), i]));
  let found = features.map((_, i) => i);
  let shown = Math.min(cards, found.length);

  const said = (name: string): string => fields.get(name)?.value ?? '';
  const cardOf = (at: number): Element =>
    nodesOf(featureCard({ ...(features[at] as FeatureRecord), label: labels[at] ?? blank }));

  function draw(from: number): void {
    const made = found.slice(from, shown).map(cardOf);
    if (from === 0) place?.replaceChildren(...made);
    else place?.append(...made);
    say();
  }

  function say(): void {
    if (count)
      count.textContent =
        `${numberText(Math.min(shown, found.length), 9)} of ${numberText(found.length, 9)} features` +
        `${found.length === features.length ? '' : ` that fit, out of ${numberText(features.length, 9)}`}.`;
    if (more) more.hidden = shown >= found.length;
  }

  function select(): void {
    const layer = said('layer');
    const query = {
      fires: said('fires'),
      logit: said('logit'),
      label: said('label'),
      layer: layer === '' ? undefined : Number(layer),
    };
    const chosen = featureOrders.find((each) => each === order?.value) ?? 'given';
    found = inOrder(
      features,
      features.map((_, at) => labelText(at)),
      chosen,
    ).filter((at) => meetsQuery(features[at] as FeatureRecord, labelText(at), query));
    shown = cards;
    draw(0);
  }

  for (const field of [...fields.values(), order]) field.addEventListener('input', select);
  more.addEventListener('click', () => {
    const from = shown;
    shown += cards;
    draw(from);
  });
  place.addEventListener('input', ({ target }) => {
    if (!(target instanceof HTMLInputElement) || target.dataset['name'] === undefined) return;
    const card = target.closest<HTMLElement>('[data-feature]');
    const at = [...place.children].indexOf(card as Element);
    const feature = found[at];
    if (feature === undefined) return;
    labels[feature] = target.value
      ? { text: target.value, author: author?.value.trim() || 'unnamed', time: new Date().toISOString() }
      : undefined;
    const name = card?.querySelector('[data-label]');
    if (name) name.textContent = target.value;
  });
  section.querySelector('[data-save]')?.addEventListener('click', () => {
    for (const { name, text } of labelFiles(features, labels)) saveFile(name, text);
  });
  // A feature may be asked for by its name in the address, `#tc8[89]`.
  const asked = places.get(decodeAddress());
  if (asked !== undefined) {
    found = [asked, ...found.filter((at) => at !== asked)];
    draw(0);
    section.scrollIntoView();
  } else say();
}

/** Of a feature without a label. */
const blank: FeatureLabelRecord = { text: '', author: '', time: '' };

function decodeAddress(): string {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return '';
  }
}

'use strict';

(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const list = document.getElementById('suspects');
  const cards = [...list.children];
  if (!cards.length) return;

  const element = id => document.getElementById(id);
  const bar = element('progress'), decided = element('decided'), said = element('said');
  const kind = element('kind'), state = element('state'), undo = element('undo');
  const save = element('save'), keys = element('keys'), none = element('none');
  const store = `catsdogs-review-${data.id}`;

  /** By position: {choice, label}, a label being a class by its number; null: undecided. */
  const decisions = new Array(cards.length).fill(null);
  const past = [];
  let current = 0, unsaved = false;

  const say = text => { said.textContent = text; };
  const isShown = card => !card.hidden;

  /** Decisions of an earlier visit: a browser that keeps nothing for files has none. */
  function remembered() {
    try {
      return JSON.parse(localStorage.getItem(store)) || [];
    } catch {
      return [];
    }
  }

  function remember() {
    try {
      localStorage.setItem(store, JSON.stringify(decisions));
    } catch { /* they are in the page until it is closed */ }
  }

  function isDecision(value) {
    return value !== null && typeof value === 'object'
      && ['keep', 'move', 'leave_out', 'unsure'].includes(value.choice)
      && (value.choice !== 'move' || Number.isInteger(value.label) && value.label in data.classes);
  }

  function show(position) {
    const card = cards[position], decision = decisions[position];
    card.classList.toggle('decided', decision !== null);
    for (const button of card.querySelectorAll('button[data-choice]')) {
      const pressed = decision !== null && decision.choice === button.dataset.choice;
      button.setAttribute('aria-pressed', String(pressed));
    }
    const select = card.querySelector('select');
    if (select) {
      select.value = decision && decision.choice === 'move' ? decision.label : '';
      select.classList.toggle('chosen', select.value !== '');
    }
  }

  function count() {
    const done = decisions.filter(Boolean).length;
    bar.value = done;
    decided.textContent = `${done.toLocaleString('en')} of ${cards.length.toLocaleString('en')} decided`;
    undo.disabled = past.length === 0;
    save.disabled = done === 0;
  }

  function filter() {
    for (const [position, card] of cards.entries()) {
      const ofKind = !kind.value || card.dataset.kinds.split(' ').includes(kind.value);
      const ofState = !state.value || (state.value === 'done') === (decisions[position] !== null);
      card.hidden = !(ofKind && ofState);
    }
    none.hidden = cards.some(isShown);
  }

  function go(position, focus = true) {
    cards[current].classList.remove('current');
    cards[current].tabIndex = -1;
    current = position;
    cards[current].tabIndex = 0;
    if (focus) {
      cards[current].classList.add('current');
      cards[current].focus();
    }
  }

  /** The nearest shown card in a direction that fits; the current one where there is none. */
  function nextFrom(position, step, fits = () => true) {
    for (let at = position + step; at >= 0 && at < cards.length; at += step) {
      if (isShown(cards[at]) && fits(at)) return at;
    }
    return position;
  }

  function perRow() {
    const shown = cards.filter(isShown);
    const top = shown.length ? shown[0].offsetTop : 0;
    return Math.max(1, shown.filter(card => card.offsetTop === top).length);
  }

  const words = { keep: 'kept', leave_out: 'left out', unsure: 'unsure' };

  function decide(position, choice, label = null) {
    const before = decisions[position];
    const same = before && before.choice === choice && before.label === label;
    past.push({ position, before });
    decisions[position] = same ? null : { choice, label };
    unsaved = true;
    remember();
    show(position);
    count();
    const what = same ? 'undecided again' : choice === 'move' ? data.classes[label] : words[choice];
    say(`Photo ${position + 1}: ${what}. ${decided.textContent}.`);
    return !same;
  }

  function decideAndGoOn(position, choice, label) {
    const goesOn = decide(position, choice, label);
    const open = at => decisions[at] === null;
    const next = goesOn ? nextFrom(position, 1, open) : position;
    filter();
    if (isShown(cards[next])) go(next);
    else go(Math.max(0, cards.findIndex(isShown)));
  }

  function takeBack() {
    const last = past.pop();
    if (!last) return;
    decisions[last.position] = last.before;
    unsaved = true;
    remember();
    show(last.position);
    count();
    filter();
    if (!isShown(cards[last.position])) {
      kind.value = state.value = '';
      filter();
    }
    go(last.position);
    say(`Photo ${last.position + 1}: taken back. ${decided.textContent}.`);
  }

  function cell(text) {
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }

  function csv() {
    const rows = [['path', 'decision', 'class', 'given', 'content']];
    for (const [position, decision] of decisions.entries()) {
      if (!decision) continue;
      const photo = data.photos[position];
      const name = decision.choice === 'move' ? data.cells[decision.label] : '';
      rows.push([photo.path, decision.choice, name, data.cells[photo.label], photo.content]);
    }
    return rows.map(row => row.map(cell).join(',')).join('\r\n') + '\r\n';
  }

  function download() {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([csv()], { type: 'text/csv' }));
    link.download = 'decisions.csv';
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    unsaved = false;
    say(`Saved decisions.csv: ${decided.textContent}.`);
  }

  function moveToLikely(position) {
    const label = data.photos[position].likely;
    if (label === null) say('No other class is likely: choose one.');
    else decideAndGoOn(position, 'move', label);
  }

  list.addEventListener('click', event => {
    const card = event.target.closest('.card');
    if (!card) return;
    const position = cards.indexOf(card);
    const button = event.target.closest('button[data-choice]');
    if (button) {
      const choice = button.dataset.choice;
      if (choice === 'move') moveToLikely(position);
      else decideAndGoOn(position, choice);
    } else if (!event.target.closest('select')) {
      go(position);
    }
  });

  list.addEventListener('change', event => {
    const select = event.target.closest('select');
    if (!select) return;
    const position = cards.indexOf(select.closest('.card'));
    if (select.value) decideAndGoOn(position, 'move', Number(select.value));
    else show(position);
  });

  list.addEventListener('focusin', event => {
    const card = event.target.closest('.card');
    if (card && cards.indexOf(card) !== current) {
      cards[current].classList.remove('current');
      cards[current].tabIndex = -1;
      current = cards.indexOf(card);
      card.tabIndex = 0;
    }
  });

  const steps = {
    ArrowRight: () => 1, ArrowLeft: () => -1, ArrowDown: perRow, ArrowUp: () => -perRow(),
  };

  function move(steps) {
    let at = current;
    for (let n = Math.abs(steps); n > 0; n--) at = nextFrom(at, Math.sign(steps));
    go(at);
  }

  document.addEventListener('keydown', event => {
    const inField = event.target.closest('select, input, summary, a');
    if (event.ctrlKey || event.metaKey || event.altKey || inField || !keys.checked) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const photo = data.photos[current];
    if (key in steps) move(steps[key]());
    else if (key === 'z') takeBack();
    else if (!isShown(cards[current])) return;
    else if (key === 'k') decideAndGoOn(current, 'keep');
    else if (key === 'm') moveToLikely(current);
    else if (key === 'x') decideAndGoOn(current, 'leave_out');
    else if (key === 'u') decideAndGoOn(current, 'unsure');
    else if (/^[1-9]$/.test(key) && data.classes.length <= 9 && key - 1 in data.classes) {
      if (key - 1 === photo.label) decideAndGoOn(current, 'keep');
      else decideAndGoOn(current, 'move', key - 1);
    } else return;
    event.preventDefault();
  });

  for (const select of [kind, state]) {
    select.addEventListener('change', () => {
      filter();
      const first = cards.findIndex(isShown);
      if (first >= 0 && !isShown(cards[current])) go(first, false);
      say(`${cards.filter(isShown).length} photos shown.`);
    });
  }
  undo.addEventListener('click', takeBack);
  save.addEventListener('click', download);
  window.addEventListener('beforeunload', event => {
    if (unsaved) event.preventDefault();
  });

  for (const [position, value] of remembered().slice(0, cards.length).entries()) {
    if (isDecision(value)) decisions[position] = value;
  }
  for (const position of cards.keys()) show(position);
  cards[0].tabIndex = 0;
  count();
  filter();
})();

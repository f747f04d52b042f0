// The citizen's form with script: one question at a time, a draft on the phone,
// and sending that goes on while the signal is bad. Without this file the page is
// the whole form; whatever fails here leaves it so. What is in view before this file
// comes stays where it is, so that a touch in between hits what it was meant for.
// Written for old browsers: the ones inside chat apps.
(function () {
  'use strict';
  var life = 24 * 3600 * 1000; // how long a draft is kept, in ms
  var away = 10 * 60 * 1000; // how long, in ms, somebody reads another page and finds the form as it was
  var patience = 90 * 1000; // after how long, in ms, whoever used a shared screen has left it
  var prefix = 'sipas ';
  var main = document.getElementById('main');
  var form, steps, at, far, asked, sending, shared, base, voice, sound, idle, slip, moving, since, told, crowded;

  function all(selector, inside) { return Array.prototype.slice.call((inside || main).querySelectorAll(selector)); }
  function one(selector) { return main.querySelector(selector); }
  function hide(e, yes) { if (e) e.hidden = !!yes; }
  function byId(id) { return document.getElementById(id); }
  function isItem(e) { return e.id.indexOf('a.') === 0; }
  function items() { return steps.filter(isItem); }

  // Storage may be missing, forbidden or full. Each form has a draft of its own, so
  // that two tabs do not write over each other.
  function key() { return base + form.elements.id.value; }
  function keep(draft) {
    try {
      if (draft) localStorage.setItem(key(), JSON.stringify(draft)); else localStorage.removeItem(key());
    } catch (e) { /* then there is no draft */ }
  }
  // kept removes what is too old and returns the newest draft of this desk's form.
  function kept() {
    var newest = null;
    try {
      Object.keys(localStorage).forEach(function (k) {
        if (k.indexOf(prefix) !== 0) return;
        var draft = JSON.parse(localStorage.getItem(k)) || {};
        var age = Date.now() - draft.at;
        if (!(age >= 0 && age < life)) localStorage.removeItem(k);
        else if (k.indexOf(base) === 0 && (draft.values || []).length > 0 && !(newest && newest.at > draft.at)) newest = draft;
      });
    } catch (e) { /* then there is none */ }
    return newest;
  }
  function forget() {
    try {
      Object.keys(localStorage).forEach(function (k) { if (k.indexOf(prefix) === 0) localStorage.removeItem(k); });
    } catch (e) { /* then there is nothing to forget */ }
  }

  function values() {
    return Array.prototype.filter.call(form.elements, function (e) {
      return e.name && (e.type !== 'radio' || e.checked);
    }).map(function (e) { return [e.name, e.value]; });
  }
  function fill(list) {
    list.forEach(function (pair) {
      all('[name="' + pair[0].replace(/["\\]/g, '') + '"]', form).forEach(function (e) {
        if (e.type === 'radio') e.checked = e.value === pair[1]; else e.value = pair[1];
      });
    });
  }
  function encoded() {
    return values().map(function (p) { return encodeURIComponent(p[0]) + '=' + encodeURIComponent(p[1]); }).join('&');
  }
  function begun() { return at > 0 || steps.some(chosen); }
  function save(more) {
    if (shared || !begun() && !more) return;
    var draft = { at: Date.now(), on: steps[at].id, far: far, values: values() };
    for (var name in more) draft[name] = more[name];
    keep(draft);
  }
  // A split form asks others something else: then the draft's own questions are fetched.
  function answeredIn(draft) {
    return draft.values.map(function (p) { return p[0]; }).filter(function (name) { return name.indexOf('a.') === 0; });
  }
  function fits(draft) { return answeredIn(draft).every(function (name) { return form.elements[name]; }); }
  function fetchFor(draft) {
    var search = withoutSlip(location.search), names = answeredIn(draft).map(function (name) { return name.slice(2); });
    location.replace(location.pathname + search + (search ? '&' : '?') + 'asks=' + encodeURIComponent(names.join('.')) + (slip ? '#' + slip : ''));
  }
  // stepOf is where a draft was left. One of the version before has the number of a step:
  // a notice came before the questions and perhaps a slip's code, other pages after them.
  function stepOf(draft) {
    if (draft.on) return Math.max(0, steps.map(function (s) { return s.id; }).indexOf(draft.on));
    return draft.sent || draft.step > items().length + 1 ? steps.length - 1 : Math.max(0, draft.far);
  }
  function resume(draft) {
    fill(draft.values);
    if (slip) form.elements.slip.value = slip; // the draft may have that of another visit
    far = draft.far;
    open();
    cover('');
    show(stepOf(draft));
  }
  // open shows what is folded where something stands in it.
  function open() {
    var extra = byId('extra');
    extra.open = extra.open || all('select,textarea', extra).some(function (e) { return e.value; });
  }
  function erase() {
    forget();
    all('input[type=radio]', form).forEach(function (e) { e.checked = false; });
    all('select,textarea,input[type=text],input:not([type])', form).forEach(function (e) { e.value = ''; });
    far = -1;
    cover('');
    show(0);
  }
  // cover asks something before the form is seen again; '' ends that.
  function cover(name) {
    ['draft', 'sure'].forEach(function (id) { hide(byId(id), id !== name); });
    hide(form, name);
  }

  // The code of a slip stands behind the # of its address, so that no server and no log
  // sees it before the answer.
  function slipIn(text) {
    try { text = decodeURIComponent(text); } catch (e) { /* as it stands */ }
    var code = /(?:^|[^0-9A-Za-z])([0-9A-Za-z]{4}(?:-?[0-9A-Za-z]{4}){4})(?![0-9A-Za-z])/.exec(text);
    return code ? code[1].toUpperCase() : '';
  }
  // checks says whether the last character fits: Luhn's algorithm modulo 32.
  function checks(code) {
    var s = code.replace(/-/g, '').replace(/O/g, '0').replace(/[IL]/g, '1'), sum = 0;
    for (var i = 0; i < s.length; i++) {
      var v = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'.indexOf(s.charAt(s.length - 1 - i)) * (1 + i % 2);
      if (v < 0) return false;
      sum += Math.floor(v / 32) + v % 32;
    }
    return sum % 32 === 0;
  }
  // keepSlip remembers a code while this tab is open, for when the page is loaded again.
  function keepSlip(code) {
    try {
      if (code && !shared) sessionStorage.setItem(prefix + 'slip ' + location.pathname, code);
      else sessionStorage.removeItem(prefix + 'slip ' + location.pathname);
    } catch (e) { /* then it is typed again */ }
  }
  function keptSlip() {
    try { return sessionStorage.getItem(prefix + 'slip ' + location.pathname) || ''; } catch (e) { return ''; }
  }
  // placeSlip puts the code into its field. Nobody need see one that can be right.
  function placeSlip() {
    var field = form.elements.slip, section = one('[data-slip]');
    if (!field || byId('slip-e')) slip = ''; // not asked, or refused
    else if (!section) slip = field.value; // the page came with it
    else if (slip) {
      field.value = slip;
      if (checks(slip)) {
        field.type = 'hidden';
        hide(section, true);
      }
    }
    keepSlip(slip);
  }
  // carry moves the code along to the page in another language.
  function carry() {
    var field = form && form.elements.slip;
    var code = field && !(byId('slip-e') && field.value === field.defaultValue) ? slipIn(field.value) : '';
    all('a[hreflang]', document).forEach(function (a) {
      a.search = withoutSlip(a.search);
      a.hash = code;
    });
  }
  function withoutSlip(search) { return search.replace(/([?&])(?:slip|asks)=[^&]*&?/, '$1').replace(/[?&]$/, ''); }

  function chosen(step) { return step.querySelector('input:checked') !== null; }

  function show(n, quietly) {
    hush();
    at = n;
    moving = -1;
    since = Date.now();
    var step = steps[n], last = n === steps.length - 1, item = isItem(step), asked = items(), number = asked.indexOf(step);
    steps.forEach(function (s, i) { hide(s, i !== n); });
    all('.factor').forEach(function (s) { hide(s, !s.contains(step)); });
    if (number > far) {
      far = number;
      form.elements.reached.value = step.id.slice(2);
    }
    ['notice', 'place'].forEach(function (id) { hide(byId(id), n > 0); });
    one('h1').className = n > 0 ? 'unseen' : '';
    main.className = n > 0 ? 'on' : '';
    function counted(e) { return e.getAttribute('data-text').replace('{n}', number + 1).replace('{of}', asked.length); }
    var where = byId('where'), bar = document.querySelector('.ask progress');
    hide(where, n === 0);
    where.textContent = item ? counted(where) : '';
    hide(bar, false);
    bar.max = steps.length - 1;
    bar.value = n;
    if (item) bar.setAttribute('aria-valuetext', counted(bar));
    else bar.removeAttribute('aria-valuetext');
    hide(one('[data-do=back]'), n === 0);
    hide(one('.send'), !last);
    hide(byId('consent'), !last);
    hide(byId('extra'), !last);
    // Whoever has finished a factor may stop there.
    hide(byId('aside'), !(item && step.parentNode !== asked[0].parentNode && asked.some(chosen)));
    var others = byId('fields');
    if (others) {
      hide(others, !chosen(others));
      hide(one('[data-do=fields]'), chosen(others));
    }
    label();
    listen();
    if (quietly) { fit(); return; }
    hide(told, true);
    save();
    var title = step.querySelector('legend,h2');
    title.tabIndex = -1;
    title.focus();
    window.scrollTo(0, 0);
    fit();
  }
  // label words the way on: quiet as long as nothing is chosen, for then it leaves a question out.
  function label() {
    var step = steps[at], next = one('[data-do=next]'), word = chosen(step) ? 'next' : 'skip';
    hide(next, at === steps.length - 1);
    next.className = word === 'skip' ? 'plain' : '';
    all('[data-when]').forEach(function (e) { hide(e, e.getAttribute('data-when') !== word); });
    hide(document.querySelector('.foot [data-do=erase]'), shared || !begun() && byId('draft').hidden);
    ends(step);
  }
  // ends writes below faces that stand in a row what the chosen one means, or the first and the last.
  function ends(step) {
    var words = step.querySelector('.ends');
    if (!words) return;
    var face = step.querySelector('.scale input:checked');
    hide(words.firstChild, face);
    words.lastChild.textContent = (face || step.querySelector('.l5 input')).parentNode.textContent;
  }
  // fit puts the faces into one row where rows of words do not leave all of them in view, and
  // then makes the words smaller. The style does so by the height of the window, which says
  // nothing of how large the text is. The first screen, which says more, is apart from the
  // others, and those are alike.
  function fit() {
    var row = steps[at].querySelector('.scale'), name = at > 0 ? 'later' : 'first', large = one('.send button').offsetHeight > 79;
    if (crowded.width !== window.innerWidth) crowded = { width: window.innerWidth };
    function dress() {
      document.body.className = crowded[name] > 1 ? 'least' : '';
      form.className = 'stepwise ' + name + (crowded[name] ? ' tight' : '') + (large ? ' large' : '');
    }
    dress();
    while (row && !(crowded[name] > 1) && row.getBoundingClientRect().bottom > window.innerHeight) {
      crowded[name] = (crowded[name] || 0) + 1;
      dress();
    }
  }
  // Each step forward is a place that the phone's own back button returns to.
  function forward(n) {
    try { history.pushState({ sipas: n }, ''); } catch (e) { /* then back leaves the page, and the draft stays */ }
    show(n);
  }
  function back() {
    if (history.state && history.state.sipas > 0) history.back(); else show(Math.max(at - 1, 0));
  }

  // Whoever stops without an answer here has reached the question before.
  function stopHere() {
    far = items().indexOf(steps[at]) - (chosen(steps[at]) ? 0 : 1);
    form.elements.reached.value = items()[far].id.slice(2);
    if (lacksSlip()) forward(steps.length - 1); else send();
  }
  function lacksSlip() { var field = byId('slip'); return field && field.hasAttribute('data-needed') && !field.value; }

  function say() {
    hush();
    var step = steps[at], file = step.getAttribute('data-sound');
    if (file) {
      sound = new Audio(file);
      var playing = sound.play();
      if (playing) playing.catch(function () { /* another press tries again */ });
      return;
    }
    var words = new SpeechSynthesisUtterance(step.querySelector('legend').textContent);
    words.voice = voice;
    words.lang = voice.lang;
    speechSynthesis.speak(words);
  }
  // listen offers to hear the question where there is something to hear.
  function listen() {
    var step = steps[at];
    hide(one('[data-do=say]'), !(isItem(step) && (step.getAttribute('data-sound') || voice)));
  }
  function hush() {
    if (sound) sound.pause();
    sound = null;
    if (window.speechSynthesis) speechSynthesis.cancel();
  }
  // Only a voice on the phone itself: others send the text to somebody's server.
  function findVoice() {
    var lang = document.documentElement.lang;
    voice = speechSynthesis.getVoices().filter(function (v) {
      return v.localService && v.lang.toLowerCase().split(/[-_]/)[0] === lang;
    })[0];
    if (form) listen();
  }

  // send hands the answers in until somebody who is surely this service has taken
  // or refused them. They have one id, so that they count once however often they
  // arrive.
  function send() {
    if (sending) return;
    sending = { body: encoded(), tries: 0, action: form.action, at: Date.now() };
    save({ sent: true });
    hide(form, true);
    ['notice', 'place', 'where'].forEach(function (id) { hide(byId(id), true); });
    hide(document.querySelector('.foot [data-do=erase]'), true);
    attempt(sending);
  }
  function state(name) {
    hide(byId('state'), !name);
    all('[data-state]').forEach(function (e) { hide(e, e.getAttribute('data-state') !== name); });
    hide(one('[data-do=retry]'), name !== 'waiting');
  }
  function attempt(job) {
    if (sending !== job || job.busy) return;
    clearTimeout(job.timer);
    job.busy = true;
    job.tries++;
    state('sending');
    var stop = window.AbortController && new AbortController();
    var limit = setTimeout(function () { if (stop) stop.abort(); }, 20000);
    var wait = 0;
    fetch(job.action, {
      method: 'POST', body: job.body, credentials: 'omit', cache: 'no-store', redirect: 'error', signal: stop ? stop.signal : undefined,
      headers: { 'Content-Type': 'application/x-www-form-urlencoded', Accept: 'text/html' }
    }).then(function (answer) {
      wait = Number(answer.headers.get('Retry-After')) || 0;
      job.status = answer.status;
      if (answer.status === 429 || answer.status >= 500) return null;
      return answer.text();
    }).then(function (html) {
      // A hotspot's sign-in page is HTML too.
      var page = html && new DOMParser().parseFromString(html, 'text/html');
      return page && page.querySelector('main[data-sipas]') ? page : null;
    }).catch(function () { return null; }).then(function (page) {
      clearTimeout(limit);
      job.busy = false;
      if (page) return arrived(page, job);
      state('waiting');
      job.timer = setTimeout(function () { attempt(job); }, Math.max(wait * 1000, Math.min(60000, 2000 * Math.pow(2, job.tries - 1)) * (0.75 + Math.random() / 2)));
    });
  }
  // arrived shows the page that came in place of this one.
  function arrived(page, job) {
    sending = null;
    var status = job.status, again = page.getElementById('answers'), receipt = page.querySelector('.receipt');
    // The code is for whoever answered, not for who stands at the screen by now.
    if (receipt && shared && Date.now() - job.at > patience) receipt.parentNode.parentNode.removeChild(receipt.parentNode);
    // Of what comes back, the new page has a draft. What was refused without it stays.
    if (again || status < 400 || status === 410) keep(null);
    var refresh = page.querySelector('meta[http-equiv=refresh]');
    document.title = page.title;
    document.documentElement.replaceChild(document.adoptNode(page.body), document.body);
    main = byId('main');
    form = null;
    if (refresh) {
      var to = refresh.content.split(';url=');
      setTimeout(function () { location.replace(to[1] || location.href); }, to[0] * 1000);
    }
    if (again) { begin(); return; }
    clearTimeout(idle);
    if (status < 400) keepSlip('');
    carry();
    offerCopy();
    var title = one('h1');
    if (title) { title.tabIndex = -1; title.focus(); }
    window.scrollTo(0, 0);
  }

  // The receipt can be copied where the browser lets a page copy.
  function offerCopy() { hide(one('[data-do=copy]'), !(navigator.clipboard || document.queryCommandSupported && document.queryCommandSupported('copy'))); }
  function copy(button) {
    var code = one('.receipt output');
    function done() { button.textContent = button.getAttribute('data-done'); }
    function byHand() {
      getSelection().selectAllChildren(code);
      if (document.execCommand('copy')) done(); // else it is selected, for the phone's own menu
    }
    if (navigator.clipboard) navigator.clipboard.writeText(code.textContent).then(done, byHand); else byHand();
  }

  // On a shared screen an unfinished form goes away with whoever left it.
  function stir() {
    clearTimeout(idle);
    if (form && shared && !sending) idle = setTimeout(function () { location.replace(location.href); }, patience);
  }

  function begin() {
    form = byId('answers');
    if (!form) return;
    shared = form.hasAttribute('data-shared');
    placeSlip();
    if (!window.fetch || !window.DOMParser || !window.Promise) { form = null; return; }
    base = prefix + location.pathname + ' ' + form.elements.round.value + ' ';
    steps = all('[data-step]');
    far = -1;
    at = 0;
    crowded = {};
    var reached = document.createElement('input');
    reached.type = 'hidden';
    reached.name = 'reached';
    form.appendChild(reached);
    form.className = 'stepwise';
    hide(byId('steps'), false);
    told = one('.box[role=alert]');
    // What stood far below comes into view: made anew, it is nothing that moved.
    var foot = document.querySelector('.foot');
    hide(foot, true);
    var wrong = steps.map(function (s) { return s.querySelector('.error') !== null; }).indexOf(true);
    form.addEventListener('submit', function (e) { e.preventDefault(); send(); });
    form.addEventListener('change', function () { if (moving !== at) label(); else ends(steps[at]); save(); });
    form.addEventListener('input', function () { stir(); carry(); });
    open();
    if (told) {
      far = items().length - 1;
      reached.value = items()[far].id.slice(2);
      show(wrong >= 0 ? wrong : told.className === 'box bad' ? 0 : steps.length - 1, true);
      save({});
      told.tabIndex = -1;
      told.focus();
      window.scrollTo(0, 0);
    } else {
      var draft = shared ? null : kept();
      if (draft && !fits(draft)) {
        if (!fetched) { fetchFor(draft); return; }
        draft = null;
      }
      // What was touched before this file came is answered.
      var first = 0;
      while (first < steps.length - 1 && chosen(steps[first])) first++;
      if (draft && draft.auto && Date.now() - draft.at < away) resume(draft);
      else if (first > 0) forward(first);
      else {
        if (draft) cover('draft');
        show(0, true);
      }
    }
    foot.offsetHeight; // laid out without it
    hide(foot, false);
    carry();
    stir();
  }

  document.addEventListener('click', function (e) {
    var target = e.target.closest ? e.target : e.target.parentNode;
    if (!target || !target.closest) return;
    var button = target.closest('[data-do]');
    var does = button && button.getAttribute('data-do');
    if (does === 'copy') copy(button);
    if (!form) return;
    stir();
    if (does === 'next') forward(at + 1);
    if (does === 'back') back();
    if (does === 'stop') stopHere();
    if (does === 'say') say();
    if (does === 'fields') { hide(byId('fields'), false); hide(button, true); byId('fields').querySelector('input').focus(); }
    if (does === 'erase') { asked = byId('draft').hidden ? '' : 'draft'; cover('sure'); one('[data-do=keep]').focus(); }
    if (does === 'keep') cover(asked);
    if (does === 'wipe') erase();
    if (does === 'fresh') { cover(''); show(0); }
    if (does === 'retry' && sending) attempt(sending);
    if (does === 'resume') { var draft = kept(); if (draft && fits(draft)) resume(draft); }
    var link = target.closest('a');
    if (link && link.hash && main.contains(link)) {
      var to = document.getElementById(link.hash.slice(1));
      var step = to && steps.filter(function (s) { return s === to || s.contains(to); })[0];
      if (step) { e.preventDefault(); forward(steps.indexOf(step)); }
    }
    // Whoever reads the notice, or changes the language, comes back to the form as it was.
    if (link && (link.hreflang || /\/notice$/.test(link.pathname)) && begun()) save({ auto: true });
    // The second half of a double tap is no answer to the question that came in between.
    if (target.type === 'radio' && e.detail > 1 && Date.now() - since < 250) e.preventDefault();
    // A touch on a face is an answer; the arrow keys only move among them.
    else if (target.type === 'radio' && e.detail > 0) {
      var answered = moving = at;
      setTimeout(function () { if (form && at === answered && moving === at && !sending) forward(at + 1); }, 300);
    }
  });
  // Enter on a face goes on; it would send the form.
  ['keydown', 'keypress'].forEach(function (type) {
    document.addEventListener(type, function (e) {
      if (!form || e.key !== 'Enter' || e.target.tagName !== 'INPUT') return;
      e.preventDefault();
      if (type === 'keydown' && e.target.type === 'radio' && chosen(steps[at])) forward(at + 1);
    });
  });
  window.addEventListener('popstate', function (e) {
    if (!form || sending) return;
    cover('');
    show(Math.min(e.state && e.state.sipas || 0, steps.length - 1));
  });
  window.addEventListener('resize', function () { if (form && !sending) fit(); });
  // Another slip was scanned, and the browser found that it has the page already.
  window.addEventListener('hashchange', function () { if (!sending && slipIn(location.hash)) location.reload(); });
  window.addEventListener('online', function () { if (sending) attempt(sending); });
  if (window.speechSynthesis) {
    findVoice();
    if (speechSynthesis.addEventListener) speechSynthesis.addEventListener('voiceschanged', findVoice);
  }
  slip = slipIn(location.hash) || keptSlip();
  var fetched = /[?&]asks=/.test(location.search);
  // A slip's code has no place in the phone's history.
  try {
    history.replaceState(null, '', location.pathname + withoutSlip(location.search));
  } catch (e) { /* no places to return to */ }
  begin();
  if (!form) offerCopy();
})();

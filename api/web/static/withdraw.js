// The code of a receipt may stand behind the # of the address: a QR code on a tablet leads
// here so. That part is never sent to a server; it is put into the form, and taken out of
// the address and of the history.
(function () {
  'use strict';
  var input = document.getElementById('code'), code = location.hash.slice(1);
  try { code = decodeURIComponent(code); } catch (e) { /* as it stands */ }
  if (!input || code.replace(/[^0-9A-Za-z]/g, '').length < 16) return;
  input.value = code;
  history.replaceState(null, '', location.pathname + location.search);
})();

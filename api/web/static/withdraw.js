// The code of a receipt may stand behind the # of the address: a QR code on a tablet leads
// here so. That part is never sent to a server; it is put into the form, and taken out of
// the address and of the history.
(function () {
  'use strict';
  var input = document.getElementById('code'), code = location.hash.slice(1);
  if (!input || !/^[0-9A-Za-z-]{16,24}$/.test(code)) return;
  input.value = code;
  history.replaceState(null, '', location.pathname + location.search);
})();

package ask

// Who makes who testable.
var Who = who

package archtest_test

import (
	"testing"

	"github.com/wireroom/wireroom/internal/archtest"
)

// module is the folder of this module's go.mod.
const module = "../.."

func TestImportsPointOneWay(t *testing.T) {
	report(t, archtest.CheckImports(load(t, module), layers()))
}

func TestPiecesStayWithinTheirBudgets(t *testing.T) {
	budgets := archtest.Budgets{FileLines: 600, FunctionLines: 60, InterfaceMethods: 6, StructFields: 20, Parameters: 6}
	report(t, archtest.Except(archtest.CheckBudgets(load(t, module), budgets), budgetExceptions()))
}

func TestNoStateAtPackageLevel(t *testing.T) {
	report(t, archtest.Except(archtest.CheckState(load(t, module)), stateExceptions()))
}

func TestSecretsAreComparedByWhatStandsForThem(t *testing.T) {
	report(t, archtest.Except(archtest.CheckSecrets(load(t, module)), secretExceptions()))
}

func TestNoWordsThatDoNotBelongInTheTree(t *testing.T) {
	found, err := archtest.CheckWords(module, words(), unread())
	if err != nil {
		t.Fatal(err)
	}
	report(t, found)
}

func report(t *testing.T, violations []archtest.Violation) {
	t.Helper()
	for _, v := range violations {
		t.Error(v)
	}
}
